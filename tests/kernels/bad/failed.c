/* A message without an end, in bytes that are no text. */
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  memset(call->message, 0x1b, (size_t)call->message_bytes);
  memcpy(call->message, "out of luck", 11);
  return EQUINORM_FAILED;
}
