// CUDA modules on the virtual GPU, with the options that open_virtual() leaves at their defaults.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.hpp"
#include "vgpu/device.hpp"

namespace equinorm::kernels {

struct VirtualOptions {
  int target = 0;         ///< take the module for sm_TARGET; 0: the newest PTX
  vgpu::Options options;  ///< of every launch; shadows are those of BackendOptions
};

/// Throws Error: no PTX among the modules (cubin and .cu are none), PTX that cannot be read.
std::unique_ptr<Backend> open_virtual(const std::string& manifest_path, const VirtualOptions& options);

}  // namespace equinorm::kernels
