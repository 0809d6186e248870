/* A text of 4 MiB. */
#include <stdlib.h>
#define OWN_DESCRIBE
#include "honest.h"

const char* equinorm_kernel_describe(void) {
  char* text = (char*)malloc((4 << 20) + 1);
  memset(text, ' ', 4 << 20);
  text[4 << 20] = 0;
  return text;
}

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
