// Where the bundled CUDA kernels are.
#pragma once

#include <string>

namespace equinorm::kernels {

/// Path of a bundled manifest ("absorbed_mma", "absorbed_mma.bf16"): below EQUINORM_BUNDLED_CUDA, else ../share/equinorm/cuda from the
/// program, else the source tree that it was built from. Throws Error if it is in none of them.
std::string bundled_cuda(const std::string& folder, const std::string& manifest);

}  // namespace equinorm::kernels
