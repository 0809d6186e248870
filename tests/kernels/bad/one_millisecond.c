/* Writes zeros and takes a millisecond: for the benchmark of what a call costs beside the kernel. */
#define _POSIX_C_SOURCE 199309L
#include <time.h>

#include "honest.h"

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int32_t equinorm_kernel_run(const equinorm_call* call) {
  const double begin = now();
  memset(output_data(call), 0, (size_t)output_size(call) * sizeof(float));
  while (now() - begin < 1e-3) continue;
  return EQUINORM_OK;
}
