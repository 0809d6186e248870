#include "oracle/kernels.hpp"

#include "scalar/simd.hpp"

namespace equinorm::oracle {

const Kernels& kernels() {
  switch (scalar::simd_level()) {
    case scalar::SimdLevel::avx512:
      return kAvx512;
    case scalar::SimdLevel::avx2:
      return kAvx2;
    case scalar::SimdLevel::portable:
      break;
  }
  return kPortable;
}

}  // namespace equinorm::oracle
