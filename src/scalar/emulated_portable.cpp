// The emulated-format kernels for the instruction set that the whole program is compiled for.
#include "scalar/emulated_kernels.hpp"
#include "scalar/lanes.hpp"
#include "scalar/odd.hpp"

namespace equinorm::scalar::emulated_portable {

constexpr int kRegisterBytes = 16;
constexpr int kBlockRows = 4;
constexpr int kBlockRegisters = 1;

#include "scalar/emulated_arithmetic.hpp"
#include "scalar/emulated_body.hpp"

}  // namespace equinorm::scalar::emulated_portable
