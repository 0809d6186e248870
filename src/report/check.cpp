#include "report/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "problem/norm_traits.hpp"
#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

using verdict::CaseResult;
using verdict::Verdict;

/// The worst of a case: a failure, else something open, else what holds.
Verdict joint(const CaseResult& result) {
  const std::vector<Verdict> all = verdicts(result);
  if (const auto bad = std::find_if(all.begin(), all.end(), verdict::fails); bad != all.end()) return *bad;
  if (const auto open = std::find_if_not(all.begin(), all.end(), verdict::holds); open != all.end()) return *open;
  const auto numbers = std::find_if(all.begin(), all.end(), [](Verdict v) { return v != Verdict::kept; });
  return all.empty() ? Verdict::undecided : numbers == all.end() ? Verdict::measured : *numbers;
}

/// "u 0.31, lse 0.02; in path u 0.3, lse 0.02": largest error / bound of each output.
std::string outputs_text(const CaseResult& result) {
  std::string text, setting;
  for (const verdict::ErrorRow& row : result.errors) {
    if (!text.empty()) text += row.path == setting ? ", " : fmt::format("; {} ", row.path);
    setting = row.path;
    text += fmt::format("{} {}", row.tensor, row.ratio ? fmt::format("{:.2g}", *row.ratio) : "no bound");
  }
  return text.empty() ? "-" : text;
}

std::string shape_text(const problem::Problem& p) {
  std::string text = fmt::format("B {} S {} T {} H {} G {}", p.batch, p.queries, p.max_context(), p.heads, p.groups);
  if (p.norm.scheme != problem::default_scheme(p.attention)) text += " " + problem::to_string(p.norm.scheme);
  if (p.inputs.kind != "normal") text += " " + p.inputs.kind;
  return text;
}

std::string details(const CaseResult& result, const Style& style) {
  std::string text;
  for (const verdict::ConductRow& row : result.conduct) {
    if (!holds(row.verdict)) text += fmt::format("    {}: {} {}\n", row.what, coloured(row.verdict, 0, style), row.detail);
  }
  for (const verdict::ErrorRow& row : result.errors) {
    if (holds(row.verdict) || row.verdict == Verdict::measured) continue;
    text += fmt::format("    {} {}: {} {}\n", row.tensor, row.path, coloured(row.verdict, 0, style), row.detail);
  }
  return text.empty() ? text : text + faults_text(result) + reproduction_text(result);
}

}  // namespace

std::string faults_text(const CaseResult& result) {
  std::string text;
  for (const verdict::FaultRow& row : result.faults)
    text += fmt::format("    {}behaves like {}: {} ({}, {:.2g} of the bound)\n", result.faults.size() > 1 ? "perhaps " : "", row.fault,
                        row.sentence, row.tensors, row.distance);
  return text;
}

std::string conduct_table(const CaseResult& result, const Style& style) {
  if (result.conduct.empty()) return {};
  std::string text = fmt::format("\n  conduct of {}\n", result.kernel);
  for (const verdict::ConductRow& row : result.conduct)
    text += fmt::format("    {:<18} {} {}{}\n", row.what, coloured(row.verdict, 20, style), row.detail,
                        row.seconds > 0 ? fmt::format(", {:.3g} ms each", 1e3 * row.seconds) : "");
  return text;
}

std::string check_text(const verdict::RunResult& run, const Style& style) {
  if (run.cases.size() == 1) return full_text(run, style);
  std::string text;
  if (!run.cases.empty()) text += bold(run.cases.front().kernel, style) + "\n\n";
  text += bold(fmt::format("{:<18} {:<43} {:<13} {}", "case", "problem", "verdict", "error / bound"), style) + "\n";
  for (const CaseResult& result : run.cases) {
    text += fmt::format("{:<18} {:<43} {} {}\n", result.problem.name, shape_text(result.problem), coloured(joint(result), 13, style),
                        outputs_text(result));
    text += details(result, style);
  }
  return text + "\n" + closing_text(run, style);
}

}  // namespace equinorm::report
