// The matrix unit's tile kernel for AVX-512 F+VL+BW+DQ.
#include "scalar/lanes.hpp"
#include "scalar/tensor_core_kernels.hpp"

namespace equinorm::scalar::tensor_core_avx512 {

constexpr int kRegisterBytes = 64;
constexpr int kTileRows = 2;
constexpr int kTileRegisters = 2;

#include "scalar/tensor_core_body.hpp"

}  // namespace equinorm::scalar::tensor_core_avx512
