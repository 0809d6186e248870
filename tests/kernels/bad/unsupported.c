#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  strncpy(call->message, "odd number of heads", call->message_bytes);
  return EQUINORM_UNSUPPORTED;
}
