// The kernels that come with equinorm, found beside the running program.
#pragma once

#include <string>
#include <vector>

#include "kernels/declaration.hpp"

namespace equinorm::kernels {

struct InstalledKernel {
  std::string path;  ///< what `equinorm check` takes
  Declaration declaration;
};

/// Shared libraries and manifests of CUDA modules in kernels/ beside the program, or in ../lib/equinorm/kernels of an installation; in name
/// order, libraries first. The libraries are loaded for their declaration: they are our own. Empty where there is no such folder. Throws
/// Error for one that does not describe itself.
std::vector<InstalledKernel> installed_kernels();

}  // namespace equinorm::kernels
