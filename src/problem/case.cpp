#include "problem/case.hpp"

#include <filesystem>

#include "problem/builtin.hpp"
#include "problem/json.hpp"
#include "problem/model_config.hpp"
#include "problem/problem_file.hpp"
#include "problem/spelling.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

[[noreturn]] void reject_unknown(const std::string& text) {
  std::vector<std::string> names;
  for (const auto* sources : {&builtin_cases(), &presets()}) {
    for (const NamedSource& source : *sources) names.emplace_back(source.name);
  }
  const std::string hint = did_you_mean(text, names);
  throw Error("case " + shown(text) + " is no built-in case, preset or file" +
              (hint.empty() ? "; allowed: what 'equinorm list cases' and 'equinorm list models' show, or the path of a JSON file" : hint));
}

}  // namespace

Problem resolve_case(const std::string& text) {
  if (auto found = find_builtin(text)) return *std::move(found);
  std::error_code ignored;
  std::string path = text;
  if (std::filesystem::is_directory(path, ignored)) path = (std::filesystem::path(path) / "config.json").string();
  if (text.empty() || !std::filesystem::exists(path, ignored)) reject_unknown(text);
  const JsonValue root = parse_json(read_small_file(path), path);
  return looks_like_model_config(root) ? from_model_config(root, path) : load_problem(path);
}

}  // namespace equinorm::problem
