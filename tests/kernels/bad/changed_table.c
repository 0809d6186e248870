#define DECLARED_LAYOUT ", \"layout\": \"paged\", \"page_size\": 4"
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  int32_t* table = (int32_t*)(uintptr_t)input_named(call, "c")->block_table;
  table[0] ^= 1;
  return EQUINORM_OK;
}
