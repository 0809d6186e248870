// `equinorm list`: what there is.
#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <sstream>

#include "commands/arithmetics.hpp"
#include "commands/options.hpp"
#include "inputs/generate.hpp"
#include "kernels/installed.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "problem/case.hpp"
#include "problem/names.hpp"
#include "problem/norm_traits.hpp"
#include "report/terminal.hpp"
#include "scalar/error.hpp"
#include "verdict/rules.hpp"

namespace equinorm::commands {
namespace {

constexpr std::size_t kColumns = 100;

/// On a terminal broken at words after 100 columns, further lines starting at column `indent`, where the first one starts too; elsewhere as
/// it is, so that a row stays a line.
std::string hanging(const std::string& text, std::size_t indent) {
  static const bool wraps = isatty(STDOUT_FILENO) != 0;
  std::string lines, line;
  std::istringstream words(text);
  for (std::string word; wraps && words >> word;) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > kColumns) lines += line + "\n" + std::string(indent, ' '), line.clear();
    line += (line.empty() ? "" : " ") + word;
  }
  return wraps ? lines + line : text;
}

void print_row(std::string_view name, const std::string& text) { fmt::print("{:<28} {}\n", name, hanging(text, 29)); }

void list_problems(const std::vector<problem::NamedSource>& sources) {
  for (const problem::NamedSource& source : sources) {
    const problem::Problem problem = problem::resolve_case(std::string(source.name));
    print_row(source.name, report::describe(problem));
  }
}

void list_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  for (const auto& [name, description] : pairs) print_row(name, description);
}

void list_mutants() {
  fmt::print("{:<29} {:<5} {}\n", "mutant", "must", "fault; where there is");
  for (const paths::Mutant& mutant : paths::mutants()) {
    fmt::print("{:<29} {:<5} {}\n", mutant.id, paths::expected_text(mutant),
               hanging(fmt::format("{}; {}", mutant.fault, mutant.needs), 36));
  }
  fmt::print(
      "must: E the exact checks say different, R the precision ladder does, V it violates a bound,\n"
      "      S its output is not finite, P it violates a bound unless its rounding is declared\n");
}

void list_rules() {
  for (const verdict::Rule& rule : verdict::rules()) {
    const auto line = [](const std::string& text) { return hanging(text, 21); };
    fmt::print("{:<20} {}\n{:20} {}\n{:20} {}\n", rule.id, line(std::string(rule.source)), "",
               line(fmt::format("accepts if {}", rule.formula)), "", line(std::string(rule.nonfinite)));
  }
}

/// Stages of a kernel: "score..value", or one.
std::string stages_text(const kernels::StageRun& run) {
  const std::string first = problem::name_of(kernels::kStageNames, run.first), last = problem::name_of(kernels::kStageNames, run.last);
  return first == last ? first : first + ".." + last;
}

void list_kernels() {
  const std::vector<kernels::InstalledKernel> found = kernels::installed_kernels();
  if (found.empty()) fmt::print("none beside this program; `equinorm check KERNEL` judges any\n");
  for (const auto& [path, declaration] : found) {
    const bool host = declaration.device == kernels::DeviceKind::host;
    fmt::print("{:<9} {:<20} {:<5} {:<5} {:<46} {}\n", problem::to_string(declaration.form), stages_text(declaration.stages),
               scalar::to_string(declaration.precision.storage), host ? "cpu" : "cuda", declaration.name, path);
  }
}

void list_norms() {
  for (const auto& [scheme, name] : problem::kNormSchemeNames) print_row(name, std::string(problem::traits(scheme).description));
  fmt::print("kind: rms sqrt(mean z^2 + eps), l2 sqrt(sum z^2 + eps)\nweight: plain gamma, zero_centred 1 + gamma, none\n");
}

}  // namespace

int list(const std::string& what, const std::string& of, const Options& options) {
  if (what == "tensors" && !of.empty()) return list_tensors(of, options);
  if (!of.empty()) throw Error("list: '" + of + "' is one word too many; only 'list tensors' takes a CASE");
  const std::vector<std::pair<std::string, std::function<void()>>> tables{
      {"cases", [] { list_problems(problem::builtin_cases()); }},
      {"models", [] { list_problems(problem::presets()); }},
      {"formats", [] { list_pairs(arithmetic_names()), list_pairs(further_arithmetics()); }},
      {"norms", list_norms},
      {"inputs", [] { list_pairs(inputs::input_families()); }},
      {"kernels", list_kernels},
      {"mutants", list_mutants},
      {"rules", list_rules}};
  std::string allowed;
  for (const auto& [name, show] : tables) {
    if (what == name) {
      show();
      return 0;
    }
    allowed += (allowed.empty() ? "" : ", ") + name;
  }
  if (what == "tensors") throw Error("list tensors: a CASE is missing, e.g. 'equinorm list tensors mla-integers'");
  if (!what.empty()) throw Error(fmt::format("list: '{}' is not a list; allowed: {}, tensors CASE", what, allowed));
  for (const auto& [name, show] : tables) {
    fmt::print("== {}\n", name);
    show();
    fmt::print("\n");
  }
  return 0;
}

}  // namespace equinorm::commands
