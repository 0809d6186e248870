// `equinorm list`: what there is.
#include <fmt/format.h>

#include <functional>
#include <map>

#include "commands/arithmetics.hpp"
#include "commands/options.hpp"
#include "inputs/generate.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "problem/case.hpp"
#include "report/terminal.hpp"
#include "scalar/error.hpp"

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
  fmt::print("{:<28} {:<52} {}\n", "mutant", "fault", "a different function where there is");
  for (const paths::Mutant& mutant : paths::mutants()) fmt::print("{:<28} {:<52} {}\n", mutant.id, mutant.fault, mutant.needs);
}

void list_norms() {
  list_pairs({{"blockwise", "mla: one statistic for the content block, one for the RoPE block, per head"},
              {"unified", "mla: one statistic over the concatenated block, per head"},
              {"full_width", "one statistic per token over all heads (mla: content; the RoPE block has its own)"},
              {"per_head", "gqa: one statistic per head"},
              {"none", "no QK-norm"}});
  fmt::print("kind: rms sqrt(mean z^2 + eps), l2 sqrt(sum z^2 + eps); weight: plain gamma, zero_centred 1 + gamma, none\n");
}

}  // namespace

int list(const std::string& what, const Options&) {
  const std::vector<std::pair<std::string, std::function<void()>>> tables{
      {"cases", [] { list_problems(problem::builtin_cases()); }},
      {"models", [] { list_problems(problem::presets()); }},
      {"formats", [] { list_pairs(arithmetic_names()); }},
      {"norms", list_norms},
      {"inputs", [] { list_pairs(inputs::input_families()); }},
      {"kernels", [] { fmt::print("none bundled; any kernel's outputs can be compared through files: equinorm generate, equinorm compare\n"); }},
      {"mutants", list_mutants}};
  std::string allowed;
  for (const auto& [name, show] : tables) {
    if (what == name) {
      show();
      return 0;
    }
    allowed += (allowed.empty() ? "" : ", ") + name;
  }
  if (!what.empty()) throw Error(fmt::format("list: '{}' is not a list; allowed: {}", what, allowed));
  for (const auto& [name, show] : tables) {
    fmt::print("== {}\n", name);
    show();
    fmt::print("\n");
  }
  return 0;
}

}  // namespace equinorm::commands
