// `equinorm list`: what there is.
#include <fmt/format.h>

#include <functional>
#include <map>

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

void list_problems(const std::vector<problem::NamedSource>& sources) {
  for (const problem::NamedSource& source : sources) {
    const problem::Problem problem = problem::resolve_case(std::string(source.name));
    fmt::print("{:<28} {}\n", source.name, report::describe(problem));
  }
}

void list_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  for (const auto& [name, description] : pairs) fmt::print("{:<28} {}\n", name, description);
}

void list_mutants() {
  fmt::print("{:<29} {:<5} {:<52} {}\n", "mutant", "must", "fault", "where there is");
  for (const paths::Mutant& mutant : paths::mutants()) {
    fmt::print("{:<29} {:<5} {:<52} {}\n", mutant.id, paths::expected_text(mutant), mutant.fault, mutant.needs);
  }
  fmt::print(
      "must: E the exact checks say different, R the precision ladder does, V it violates a bound, S its output is not finite,\n"
      "      P it violates a bound unless its rounding is declared\n");
}

void list_rules() {
  for (const verdict::Rule& rule : verdict::rules()) {
    fmt::print("{:<20} {}\n{:20} accepts if {}\n{:20} {}\n", rule.id, rule.source, "", rule.formula, "", rule.nonfinite);
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
  for (const auto& [scheme, name] : problem::kNormSchemeNames) fmt::print("{:<28} {}\n", name, problem::traits(scheme).description);
  fmt::print("kind: rms sqrt(mean z^2 + eps), l2 sqrt(sum z^2 + eps); weight: plain gamma, zero_centred 1 + gamma, none\n");
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
