#define DECLARED_VERSION "2"
#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
