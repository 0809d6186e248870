#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  *(volatile int*)(uintptr_t)16 = 1;
  return EQUINORM_OK;
}
