/* Leaves the last row out. */
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  return honest_rows(call, call->problem->batch * call->problem->queries * call->problem->heads - 1);
}
