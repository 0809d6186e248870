/* Uses all of the workspace that it asked for, and expects neither zeros nor what it left there. */
#include "honest.h"

uint64_t equinorm_kernel_workspace(const equinorm_call* call) {
  return call->inputs[0].data == NULL ? (uint64_t)output_size(call) * sizeof(float) : 0;
}

int32_t equinorm_kernel_run(const equinorm_call* call) {
  if (call->workspace == NULL || (uintptr_t)call->workspace % 256 != 0) return EQUINORM_FAILED;
  float* space = (float*)call->workspace;
  for (int64_t i = 0; i < output_size(call); ++i) {
    if (space[i] == space[i]) return EQUINORM_FAILED;
    space[i] = 1;
  }
  return honest(call);
}
