// The matrix unit's tile kernel for AVX2 with FMA and F16C.
#include "scalar/lanes.hpp"
#include "scalar/tensor_core_kernels.hpp"

namespace equinorm::scalar::tensor_core_avx2 {

constexpr int kRegisterBytes = 32;
constexpr int kTileRows = 1;
constexpr int kTileRegisters = 2;

#include "scalar/tensor_core_body.hpp"

}  // namespace equinorm::scalar::tensor_core_avx2
