#include "commands/options.hpp"

#include <fmt/format.h>

#include "problem/case.hpp"
#include "problem/problem_file.hpp"

namespace equinorm::commands {

problem::Problem problem_of(const std::string& case_text, const Options& options) {
  problem::Problem problem = problem::resolve_case(case_text);
  if (!options.overrides.empty()) problem::override_fields(problem, options.overrides);
  return problem;
}

std::string reproduction_line(const std::string& command, const std::string& case_text, const Options& options, const std::string& extra) {
  std::string line = fmt::format("equinorm {} {}", command, case_text);
  for (const auto& [field, value] : options.overrides) line += fmt::format(" --set {}={}", field, value);
  if (!extra.empty()) line += " " + extra;
  return line;
}

}  // namespace equinorm::commands
