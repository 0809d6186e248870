// The emulated-format kernels for AVX2 with FMA and F16C.
#include <immintrin.h>

#include "scalar/emulated_kernels.hpp"
#include "scalar/lanes.hpp"
#include "scalar/odd.hpp"

namespace equinorm::scalar::emulated_avx2 {

constexpr int kRegisterBytes = 32;
constexpr int kBlockRows = 4;
constexpr int kBlockRegisters = 2;

#include "scalar/emulated_arithmetic.hpp"
#include "scalar/emulated_body.hpp"

}  // namespace equinorm::scalar::emulated_avx2
