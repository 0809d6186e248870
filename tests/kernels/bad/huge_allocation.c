#include <stdlib.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  for (;;) {
    char* more = (char*)malloc(16 << 20);
    if (more != NULL) memset(more, 1, 16 << 20);
  }
}
