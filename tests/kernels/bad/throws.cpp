#include <stdexcept>

#include "honest.h"

extern "C" int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  throw std::runtime_error("thrown across the interface");
}
