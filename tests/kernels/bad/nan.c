#include <math.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  output_data(call)[3] = NAN;
  return EQUINORM_OK;
}
