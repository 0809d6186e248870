// g++ 12 takes the undefined operand inside its own intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include "oracle/kernels-inl.hpp"

namespace equinorm::oracle {

const Kernels kAvx512 = make_kernels<Eight, 8, 3>();

}  // namespace equinorm::oracle
