/* Right, but for a process of its own session that it leaves behind. */
#include <unistd.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  if (fork() == 0) {
    setsid();
    for (;;) pause();
  }
  return honest(call);
}
