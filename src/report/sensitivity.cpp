#include "report/sensitivity.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace equinorm::report {
namespace {

using verdict::MutantRow;

const MutantRow* find_row(const verdict::CaseResult& result, const std::string& mutant) {
  const auto found =
      std::find_if(result.sensitivity.begin(), result.sensitivity.end(), [&](const MutantRow& row) { return row.mutant == mutant; });
  return found == result.sensitivity.end() ? nullptr : &*found;
}

/// '#' caught by an output, '+' by a stage tensor alone, '-' not caught, ' ' the same function here.
char cell(const MutantRow* row) {
  if (row == nullptr) return ' ';
  return !fails(row->verdict) ? '-' : row->by_output ? '#' : '+';
}

}  // namespace

std::string sensitivity_text(const verdict::RunResult& run, const Style& style) {
  std::vector<std::string> mutants;
  for (const verdict::CaseResult& result : run.cases) {
    for (const MutantRow& row : result.sensitivity) {
      if (std::find(mutants.begin(), mutants.end(), row.mutant) == mutants.end()) mutants.push_back(row.mutant);
    }
  }
  std::string text = "Which wrong forms does each case catch, under the bounds of its own declared arithmetic?\n\n";
  for (std::size_t n = 0; n < run.cases.size(); ++n) text += fmt::format("  {:>2}  {}\n", n + 1, run.cases[n].problem.name);
  std::string heading = fmt::format("\n{:<28}", "wrong form");
  for (std::size_t n = 0; n < run.cases.size(); ++n) heading += fmt::format("{:>3}", n + 1);
  text += bold(heading, style) + "\n";
  for (const std::string& mutant : mutants) {
    text += fmt::format("{:<28}", mutant);
    for (const verdict::CaseResult& result : run.cases) text += fmt::format("{:>3}", cell(find_row(result, mutant)));
    text += "\n";
  }
  text +=
      "\n#: an output (o, y, lse) violates its bound   +: a stage tensor alone does   -: not caught here   blank: the same function here\n";
  const std::set<std::string> left = uncaught(run);
  text += left.empty() ? "every wrong form is caught by a case\n" : fmt::format("caught by no case: {}\n", fmt::join(left, ", "));
  return text;
}

}  // namespace equinorm::report
