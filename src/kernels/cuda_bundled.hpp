// Where the bundled CUDA kernels are.
#pragma once

#include <string>

namespace equinorm::kernels {

/// Path of a bundled manifest ("absorbed_mma", "absorbed_mma.bf16"): below EQUINORM_BUNDLED_CUDA, else in kernels/cuda of the
/// build folder, else in lib/equinorm/kernels/cuda of the installation. Throws Error if it is in none of them.
std::string bundled_cuda(const std::string& folder, const std::string& manifest);

}  // namespace equinorm::kernels
