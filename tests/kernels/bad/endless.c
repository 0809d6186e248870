#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  for (volatile int turn = 0;; turn = 1 - turn) {
  }
}
