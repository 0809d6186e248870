/* Crashes while it is loaded. */
#include <stdlib.h>

#include "honest.h"

__attribute__((constructor)) static void at_load(void) { abort(); }

int32_t equinorm_kernel_run(const equinorm_call* call) { return honest(call); }
