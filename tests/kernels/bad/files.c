/* Leaves files wherever it may, and looks for secrets. */
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  if (getenv("EQUINORM_TEST_SECRET") != NULL || getenv("HOME") != NULL) return EQUINORM_FAILED;
  const int file = open("/dev/shm/equinorm-test-left-behind", O_CREAT | O_RDWR, 0666);
  if (file >= 0 && write(file, "x", 1) != 1) return EQUINORM_FAILED;
  return honest(call);
}
