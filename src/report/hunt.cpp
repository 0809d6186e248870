#include "report/hunt.hpp"

#include <fmt/format.h>

#include "report/terminal.hpp"

namespace equinorm::report {
namespace {

std::string ratio_text(const std::optional<double>& ratio) { return ratio ? fmt::format("{:.4g}", *ratio) : "-"; }

std::string case_text(const verdict::CaseResult& result, const Style& style) {
  const verdict::HuntResult& hunt = *result.hunt;
  std::string text = bold(result.problem.name, style);
  if (!result.mutant.empty()) text += fmt::format("  with mutant {} in place of the absorbed form", result.mutant);
  text += "\n  " + describe(result.problem) + "\n";
  for (const std::string& note : result.notes) text += "  note: " + note + "\n";
  text += fmt::format("\n  {:<11}{:<10}{:<13}{:>22}{:>26}\n", "", "", "", "error, ulp", "error / bound");
  text += fmt::format("  {:<11}{:<10}{:<13}{:>11}{:>11}{:>15}{:>11}  {}\n", "arithmetic", "form", "tensor", "start", "worst", "start",
                      "worst", "verdict");
  for (std::size_t i = 0; i < hunt.rows.size(); ++i) {
    const verdict::ErrorRow& row = result.errors[i];
    const verdict::HuntRow& found = hunt.rows[i];
    text += fmt::format("  {:<11}{:<10}{:<13}{:>11.4g}{:>11.4g}{:>15}{:>11}  {}\n", row.arithmetic, row.path, row.tensor, found.start_ulp,
                        found.worst_ulp, ratio_text(found.start_ratio), ratio_text(found.worst_ratio),
                        row.verdict == verdict::Verdict::measured ? "no bound" : coloured(row.verdict, 0, style));
    if (!row.detail.empty()) text += "      " + row.detail + "\n";
  }
  const verdict::ErrorRow& worst = result.errors.at(static_cast<std::size_t>(hunt.worst_row));
  text += fmt::format("\n  {} evaluations ({} without an exact value), {} restarts, seed {}, {:.1f} s\n", hunt.evaluations, hunt.unscored,
                      hunt.restarts, result.problem.inputs.seed, hunt.seconds);
  text += fmt::format("  {}: the inputs of {} {} at {}, largest of all\n", hunt.file, worst.path, worst.tensor,
                      ratio_text(hunt.rows[static_cast<std::size_t>(hunt.worst_row)].worst_ratio));
  return text + fmt::format("  replay: {}\n\n", result.reproduce);
}

}  // namespace

std::string hunt_text(const verdict::RunResult& run, const Style& style) {
  std::string text =
      "On which inputs do the forms err most? start: the case's own inputs; worst: found by search, each on inputs of its own\n\n";
  for (const verdict::CaseResult& result : run.cases) text += case_text(result, style);
  return text + closing_text(run, style);
}

}  // namespace equinorm::report
