// Cases and model presets that are part of the program: the files of src/problem/cases and src/problem/presets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::problem {

/// One embedded problem file. Its name is the file's name without `.json`, and the problem's.
struct NamedSource {
  std::string_view name;
  std::string_view json;
};

/// The default suite of `equinorm verify`, in name order.
const std::vector<NamedSource>& builtin_cases();

/// Dimensions of published models, in name order.
const std::vector<NamedSource>& presets();

/// The built-in case of that name, else the preset, else nothing.
std::optional<Problem> find_builtin(std::string_view name);

}  // namespace equinorm::problem
