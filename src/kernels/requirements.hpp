// The keys that a declaration's `requires` may name.
#pragma once

#include <string>

namespace equinorm::kernels {

/// Throws Error unless `key` (dotted) is one of a problem file, of either attention: with a key that no problem has a kernel would be
/// skipped on every case.
void check_requirement_key(const std::string& key);

}  // namespace equinorm::kernels
