#define OWN_DESCRIBE
#include "honest.h"

const char* equinorm_kernel_describe(void) { return "\x01\xff{{{\"equinorm\": 1"; }

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
