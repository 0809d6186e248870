#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  static float turn = 0;
  honest(call);
  output_data(call)[0] += (turn += 1);
  return EQUINORM_OK;
}
