#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  ((float*)input_named(call, "c")->data)[5] += 1;
  return EQUINORM_OK;
}
