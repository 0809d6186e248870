#include "oracle/kernels-inl.hpp"

namespace equinorm::oracle {

const Kernels kAvx2 = make_kernels<Four, 4, 3>();

}  // namespace equinorm::oracle
