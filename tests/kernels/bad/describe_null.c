#define OWN_DESCRIBE
#include "honest.h"

const char* equinorm_kernel_describe(void) { return NULL; }

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
