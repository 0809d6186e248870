#include "report/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

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

/// "u 0.31, lse 0.02; in path u 0.3, lse 0.02": largest error / bound of each output, or of the one where it is largest.
std::string outputs_text(const CaseResult& result, bool all) {
  std::vector<std::pair<std::string, std::vector<const verdict::ErrorRow*>>> settings;
  for (const verdict::ErrorRow& row : result.errors) {
    if (settings.empty() || settings.back().first != row.path) settings.push_back({row.path, {}});
    settings.back().second.push_back(&row);
  }
  const auto less = [](const verdict::ErrorRow* a, const verdict::ErrorRow* b) {
    return a->ratio && (!b->ratio || *a->ratio < *b->ratio);  // nothing is more than a number
  };
  std::string text;
  for (auto& [setting, rows] : settings) {
    if (!all) rows = {*std::max_element(rows.begin(), rows.end(), less)};
    if (!text.empty()) text += fmt::format("; {} ", setting);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const verdict::ErrorRow& row = *rows[i];
      text += fmt::format("{}{} {}", i > 0 ? ", " : "", row.tensor, row.ratio ? fmt::format("{:.2g}", *row.ratio) : "no bound");
    }
  }
  return text.empty() ? "-" : text;
}

/// What a problem has that others of its size do not: "softcap 5, sink".
std::vector<std::string> peculiarities(const problem::Problem& p) {
  const problem::Problem usual;
  std::vector<std::string> words;
  const auto add = [&](bool differs, const std::string& text) {
    if (differs) words.push_back(text);
  };
  const bool normed = problem::norm_traits(p).normed;
  add(p.norm.scheme != problem::default_scheme(p.attention), "norm " + problem::to_string(p.norm.scheme));
  add(normed && p.norm.kind != usual.norm.kind, problem::to_string(p.norm.kind));
  add(normed && p.norm.weight != usual.norm.weight, "weight " + problem::to_string(p.norm.weight));
  add(normed && !(p.norm.eps == usual.norm.eps), "eps " + p.norm.eps.text());
  add(p.mask.kind == problem::MaskKind::none, "no mask");
  add(p.mask.kind == problem::MaskKind::window, fmt::format("window {}", p.mask.window));
  add(!p.softcap.is_zero(), "softcap " + p.softcap.text());
  add(p.sink, "sink");
  add(p.scale.has_value(), fmt::format("scale {:.3g}", p.scale ? p.scale->to_double() : 0));
  add(p.is_mla() && p.rope.layout != usual.rope.layout, "rope " + problem::to_string(p.rope.layout));
  add(p.precision.splits > 1, fmt::format("splits {}", p.precision.splits));
  add(p.inputs.kind != usual.inputs.kind, p.inputs.kind);
  return words;
}

/// What all of several cases have in common: a kernel's own splits, for one.
std::vector<std::string> shared_peculiarities(const verdict::RunResult& run) {
  std::vector<std::string> shared = peculiarities(run.cases.front().problem);
  for (const CaseResult& result : run.cases) {
    const std::vector<std::string> own = peculiarities(result.problem);
    std::erase_if(shared, [&](const std::string& word) { return std::find(own.begin(), own.end(), word) == own.end(); });
  }
  return shared;
}

std::string shape_text(const problem::Problem& p, const std::vector<std::string>& shared) {
  std::vector<std::string> words = peculiarities(p);
  std::erase_if(words, [&](const std::string& word) { return std::find(shared.begin(), shared.end(), word) != shared.end(); });
  return fmt::format("B {} S {} T {} H {} G {}{}{}", p.batch, p.queries, p.max_context(), p.heads, p.groups, words.empty() ? "" : ", ",
                     fmt::join(words, ", "));
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

/// One line per case, and below it what does not hold. Where a line with all of its outputs is wider than a terminal is likely to be, every
/// line shows one of them.
std::string cases_table(const verdict::RunResult& run, const Style& style) {
  constexpr std::size_t kWide = 100;
  const std::vector<std::string> shared = shared_peculiarities(run);
  std::size_t names = 4, shapes = 7, words = 7, outputs = 0;  // of the headings
  for (const CaseResult& result : run.cases) {
    names = std::max(names, result.problem.name.size());
    shapes = std::max(shapes, shape_text(result.problem, shared).size());
    words = std::max(words, to_string(joint(result)).size());
    outputs = std::max(outputs, outputs_text(result, true).size());
  }
  const bool all = names + shapes + words + outputs + 3 <= kWide;
  const std::string heading = fmt::format("{:<{}} {:<{}} {:<{}} {}", "case", names, "problem", shapes, "verdict", words,
                                          all ? "error / bound" : "largest error / bound");
  std::string text = shared.empty() ? "" : fmt::format("every case: {}\n\n", fmt::join(shared, ", "));
  text += bold(heading, style) + "\n";
  for (const CaseResult& result : run.cases) {
    text += fmt::format("{:<{}} {:<{}} {} {}\n", result.problem.name, names, shape_text(result.problem, shared), shapes,
                        coloured(joint(result), words, style), outputs_text(result, all));
    text += details(result, style);
  }
  return text;
}

}  // namespace

std::string faults_text(const CaseResult& result) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (const verdict::FaultRow& row : result.faults | std::views::take(kShown))
    text += fmt::format("    {}behaves like {}: {} ({}, {:.2g} of the bound)\n", result.faults.size() > 1 ? "perhaps " : "", row.fault,
                        row.sentence, row.tensors, row.distance);
  if (result.faults.size() > kShown)
    text += fmt::format("    {} more fit within these bounds, too (--json lists them)\n", result.faults.size() - kShown);
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
  if (!run.cases.empty()) text += bold(run.cases.front().kernel, style) + "\n\n" + cases_table(run, style);
  return text + "\n" + closing_text(run, style);
}

}  // namespace equinorm::report
