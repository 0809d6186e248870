#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  output_data(call)[output_size(call) + (100 << 10)] = 1;
  return EQUINORM_OK;
}
