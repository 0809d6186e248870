#include "vgpu/shadow_body.hpp"

namespace equinorm::vgpu {

ShadowKernels shadow_kernels_avx512() { return kShadowKernels; }

}  // namespace equinorm::vgpu
