// The matrix unit's tile kernel for the instruction set that the whole program is compiled for.
#include "scalar/lanes.hpp"
#include "scalar/tensor_core_kernels.hpp"

namespace equinorm::scalar::tensor_core_portable {

constexpr int kRegisterBytes = 16;
constexpr int kTileRows = 1;
constexpr int kTileRegisters = 2;

#include "scalar/tensor_core_body.hpp"

}  // namespace equinorm::scalar::tensor_core_portable
