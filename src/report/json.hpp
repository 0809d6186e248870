// A run as JSON for programs. The schema is SCHEMA.md beside this file.
#pragma once

#include <string>

#include "verdict/results.hpp"

namespace equinorm::report {

/// Version of the schema; grows when a field changes its meaning or goes away, not when one is added.
inline constexpr int kSchemaVersion = 1;

/// The whole run, pretty-printed, keys in a fixed order. Numbers that JSON cannot hold (-inf, nan) are null.
std::string to_json(const verdict::RunResult& run);

}  // namespace equinorm::report
