// Kernels that run in a worker process: shared libraries, and CUDA modules on the GPU or the virtual GPU.
#pragma once

#include <memory>
#include <string>

#include "kernels/runner.hpp"

namespace equinorm::kernels {

enum class WorkerBackend : std::uint8_t { library, cuda, virtual_gpu };

/// Starts a worker, opens the kernel in it and reads its declaration. The worker stays for later runs; one that crashed, hung or wrote
/// where it must not is replaced by a new one at the next run. Throws Error where the kernel cannot be opened or does not describe itself.
std::unique_ptr<Runner> open_in_worker(const std::string& path, WorkerBackend backend, const Limits& limits);

}  // namespace equinorm::kernels
