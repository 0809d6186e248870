#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  output_data(call)[-1] = 1;
  return EQUINORM_OK;
}
