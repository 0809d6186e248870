#include "honest.h"

uint64_t equinorm_kernel_workspace(const equinorm_call* call) {
  (void)call;
  return 4096;
}

int32_t equinorm_kernel_run(const equinorm_call* call) {
  ((volatile char*)call->workspace)[4096] = 1;
  return honest(call);
}
