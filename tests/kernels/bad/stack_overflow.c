#include "honest.h"

static int64_t deeper(volatile int64_t depth) { return depth == -1 ? 0 : depth + deeper(depth + 1); }

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  return (int32_t)deeper(0);
}
