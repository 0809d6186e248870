/* Writes zeros: for the benchmark of what a call costs beside the kernel. */
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  memset(output_data(call), 0, (size_t)output_size(call) * sizeof(float));
  return EQUINORM_OK;
}
