#define DECLARED_LAYOUT ", \"layout\": \"paged\", \"page_size\": 4"
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
