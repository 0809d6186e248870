// What a kernel's process is started with.
#pragma once

#include <string>
#include <string_view>

#include "kernels/process.hpp"

namespace equinorm::kernels {

/// The text of src/kernels/python/equinorm_kernel.py.
std::string_view python_helper();

/// Program, arguments (without `describe` or `run`), environment and working folder for the kernel at `path`. Puts the Python helper into
/// `folder`, a PrivateFolder. Throws Error where `path` is neither executable nor a .py file, or there is no Python.
SpawnOptions process_setup(const std::string& path, const std::string& folder, const std::string& work, int threads);

}  // namespace equinorm::kernels
