#include "oracle/kernels-inl.hpp"

namespace equinorm::oracle {

const Kernels kPortable = make_kernels<One, 2, 4>();

}  // namespace equinorm::oracle
