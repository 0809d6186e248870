// Kernels that are programs: any executable, or a Python script. PROCESS.md has the protocol.
#pragma once

#include <memory>
#include <string>

#include "kernels/runner.hpp"

namespace equinorm::kernels {

/// Opens an executable, or a file named *.py, which Python runs under our helper (EQUINORM_PYTHON, else python3 of PATH). It describes
/// itself here; `limits.seconds` and `limits.memory` hold for that too, `limits.threads` for all of its life. Throws Error where it is
/// neither, cannot be started, or does not describe itself.
std::unique_ptr<Runner> open_process(const std::string& path, const Limits& limits);

}  // namespace equinorm::kernels
