/* Takes the strided output for a contiguous one that is a little longer. */
#define DECLARED_OUTPUT_LAYOUT ", \"layout\": \"strided\""
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  output_data(call)[call->problem->latent] = 0;
  return EQUINORM_OK;
}
