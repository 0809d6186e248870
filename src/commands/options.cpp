#include "commands/options.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "problem/case.hpp"
#include "problem/problem_file.hpp"

namespace equinorm::commands {
namespace {

/// The word as a POSIX shell must read it.
std::string quoted(const std::string& word) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || (c != 0 && std::strchr("%+,-./:=@_", c) != nullptr); };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string result = "'";
  for (const char c : word) c == '\'' ? result += "'\\''" : result += c;
  return result + "'";
}

}  // namespace

problem::Problem problem_of(const std::string& case_text, const Options& options) {
  problem::Problem problem = problem::resolve_case(case_text);
  if (!options.overrides.empty()) problem::override_fields(problem, options.overrides);
  return problem;
}

std::string command_line(const std::string& command, const std::vector<std::string>& cases, const Options& options,
                         const std::vector<std::string>& extra) {
  std::string line = "equinorm " + command;
  for (const std::string& text : cases) line += " " + quoted(text);
  for (const auto& [field, value] : options.overrides) line += " --set " + quoted(field + "=" + value);
  for (const std::string& word : extra) line += " " + quoted(word);
  return line;
}

std::string reproduction_line(const std::string& command, const std::string& case_text, const Options& options,
                              const std::vector<std::string>& extra) {
  return command_line(command, {case_text}, options, extra);
}

}  // namespace equinorm::commands
