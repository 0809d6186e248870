#include "vgpu/shadow_body.hpp"

namespace equinorm::vgpu {

ShadowKernels shadow_kernels_portable() { return kShadowKernels; }

}  // namespace equinorm::vgpu
