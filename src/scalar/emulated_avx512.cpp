// The emulated-format kernels for AVX-512 F+VL+BW+DQ.
#include <immintrin.h>

#include "scalar/emulated_kernels.hpp"
#include "scalar/lanes.hpp"
#include "scalar/odd.hpp"

namespace equinorm::scalar::emulated_avx512 {

constexpr int kRegisterBytes = 64;
constexpr int kBlockRows = 4;
constexpr int kBlockRegisters = 2;

#include "scalar/emulated_arithmetic.hpp"
#include "scalar/emulated_body.hpp"

}  // namespace equinorm::scalar::emulated_avx512
