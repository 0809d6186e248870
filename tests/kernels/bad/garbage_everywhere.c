/* Writes garbage to every descriptor that it finds open. */
#include <sys/socket.h>
#include <unistd.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  char garbage[4096];
  memset(garbage, 0x5a, sizeof(garbage));
  for (int number = 0; number < 1024; ++number) {
    if (write(number, garbage, sizeof(garbage)) < 0) continue;
    if (ftruncate(number, 0) != 0) continue;
  }
  return EQUINORM_OK;
}
