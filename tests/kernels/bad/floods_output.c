#include <stdio.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  for (int line = 0; line < 200000; ++line) puts("a kernel that talks a lot and says little");
  fflush(stdout);
  return honest(call);
}
