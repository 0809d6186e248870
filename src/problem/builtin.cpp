#include "problem/builtin.hpp"

#include "problem/problem_file.hpp"

namespace equinorm::problem {

std::optional<Problem> find_builtin(std::string_view name) {
  for (const auto* sources : {&builtin_cases(), &presets()}) {
    for (const NamedSource& source : *sources) {
      if (source.name == name) return parse_problem(source.json, std::string(source.name));
    }
  }
  return std::nullopt;
}

}  // namespace equinorm::problem
