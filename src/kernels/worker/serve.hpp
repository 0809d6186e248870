// The worker's side of the wire.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.hpp"

namespace equinorm::kernels {

/// Opens the backend `kind` (library, cuda, virtual) on `path` and answers requests until the judge hangs up. Returns the exit code.
int serve(const std::string& kind, const std::string& path);

}  // namespace equinorm::kernels
