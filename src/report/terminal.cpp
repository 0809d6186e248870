#include "report/terminal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "problem/norm_traits.hpp"
#include "report/check.hpp"
#include "report/explanation.hpp"
#include "report/rules_text.hpp"
#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

using verdict::CaseResult;
using verdict::ErrorRow;
using verdict::ExactCheck;
using verdict::Verdict;

/// `text` broken after separators, so that it stays within 100 columns when its first line starts at column `indent`, as the others do.
std::string wrapped(const std::string& text, const std::string& separator, std::size_t indent) {
  std::string lines, line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find(separator, at);
    const std::string piece = text.substr(at, end == std::string::npos ? end : end + separator.size() - at);
    if (!line.empty() && indent + line.size() + piece.size() > 100) {
      lines += line.substr(0, line.find_last_not_of(' ') + 1) + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += piece;
    at += piece.size();
  }
  return lines + line;
}

std::string case_heading(const CaseResult& result, const Style& style) {
  std::string text = bold(result.problem.name, style);
  if (!result.mutant.empty()) text += fmt::format("  with mutant {} in place of the absorbed form", result.mutant);
  text += "\n  " + wrapped(describe(result.problem), ", ", 2) + "\n";
  for (const std::string& note : result.notes) text += "  note: " + note + "\n";
  return text;
}

/// The difference of the two forms at each precision.
std::string ladder_table(const ExactCheck& check) {
  if (check.rungs.empty()) return {};
  std::string bits = fmt::format("{:22}{:<16}", "", "bits"), differences = fmt::format("{:22}{:<16}", "", "log2 difference");
  for (const verdict::LadderRung& rung : check.rungs) {
    bits += fmt::format("{:>8}", rung.bits);
    const bool none = std::isinf(rung.log2_difference) && rung.log2_difference < 0;
    differences += none ? fmt::format("{:>8}", "none") : fmt::format("{:>8.1f}", rung.log2_difference);
  }
  return bits + "\n" + differences + "\n";
}

std::string checks_table(const CaseResult& result, const Style& style) {
  if (result.checks.empty()) return {};
  std::string text = result.kernel.empty() ? "\n  explicit = absorbed, without rounding\n" : "\n  the kernel and the formula\n";
  for (const ExactCheck& check : result.checks) {
    text += fmt::format("    {:<17} {} {}\n", check.method,
                        check.verdict == Verdict::measured ? "not run  " : coloured(check.verdict, 9, style),
                        wrapped(check_details(check), "; ", 32));
    if (check.difference) {
      const verdict::FirstDifference& d = *check.difference;
      text += fmt::format("{:32}first departs in stage {}, tensor {}{}\n{:32}explicit {}\n{:32}absorbed {}\n", "", d.stage, d.tensor,
                          index_text(d.index), "", d.explicit_value, "", d.absorbed_value);
    }
    text += ladder_table(check);
  }
  return text;
}

/// The tensor that a reader cares for most: the last output there is.
std::string last_tensor(const CaseResult& result) {
  static const std::vector<std::string> order{"y", "o_gated", "o"};
  for (const std::string& name : order) {
    if (std::any_of(result.errors.begin(), result.errors.end(), [&](const ErrorRow& row) { return row.tensor == name; })) return name;
  }
  return result.errors.empty() ? "" : result.errors.back().tensor;
}

/// Columns that are as wide as what stands in them: tables of long names are wide, the usual ones fit 100 columns.
struct ErrorWidths {
  std::size_t arithmetic = 10, form = 4, tensor = 6, at = 10;  ///< of the headings

  void hold(const ErrorRow& row) {
    arithmetic = std::max(arithmetic, row.arithmetic.size()), form = std::max(form, row.path.size());
    tensor = std::max(tensor, row.tensor.size()), at = std::max(at, index_text(row.error.worst).size());
  }
};

std::string error_heading(const ErrorWidths& widths) {
  return fmt::format("  {:<{}} {:<{}} {:<{}} {:>7}{:>9}{:>9}{:>8}{:>9} {:<9} {:<{}} {}\n", "arithmetic", widths.arithmetic, "form",
                     widths.form, "tensor", widths.tensor, "max abs", "max ulp", "normwise", "bound", "of bound", "verdict", "max abs at",
                     widths.at, "stage");
}

/// One row: what was measured, what the bound allows, and what follows.
std::string error_line(const ErrorRow& row, const ErrorWidths& widths, const Style& style) {
  const bool nothing = row.error.nonfinite == row.error.elements && (row.error.elements > 0 || fails(row.verdict));
  const auto show = [&](double x) { return nothing ? std::string("-") : number(x); };
  const bool none = row.verdict == Verdict::measured;
  std::string text =
      fmt::format("  {:<{}} {:<{}} {:<{}} {:>7}{:>9}{:>9}{:>8}{:>9} {} {:<{}} {}", row.arithmetic, widths.arithmetic, row.path, widths.form,
                  row.tensor, widths.tensor, show(row.error.max_abs), nothing ? "-" : fmt::format("{:.3g}", row.error.max_ulp),
                  show(row.error.normwise), row.bound ? number(*row.bound) : "-", row.ratio ? fmt::format("{:.2g}", *row.ratio) : "-",
                  none ? fmt::format("{:<9}", "no bound") : coloured(row.verdict, 9, style), index_text(row.error.worst), widths.at,
                  row.main_stage.empty() ? "-" : row.main_stage);
  if (row.error.nonfinite > 0 && row.detail.empty()) text += fmt::format("\n      {} not finite", row.error.nonfinite);
  if (!row.detail.empty() && !none) text += "\n      " + wrapped(row.detail, ", ", 6);
  return text + "\n";
}

/// The rows that are shown: with `verify`, of what holds, the outputs that a reader cares for most.
std::vector<const ErrorRow*> shown_errors(const CaseResult& result, const Style& style) {
  const std::string last = last_tensor(result);
  const bool compared = result.checks.empty() || !result.kernel.empty();
  std::vector<const ErrorRow*> rows;
  for (const ErrorRow& row : result.errors) {
    const bool ordinary = holds(row.verdict) || row.verdict == Verdict::measured;
    if (style.verbose || compared || !ordinary || row.tensor == "logits" || row.tensor == last) rows.push_back(&row);
  }
  return rows;
}

std::string differences_table(const CaseResult& result, const Style& style) {
  if (result.differences.empty()) return {};
  std::string text = fmt::format("\n  explicit minus absorbed\n    {:<20} {:<8}{:>9}{:>10}{:>9}\n", "arithmetic", "tensor", "max abs",
                                 "normwise", "bound");
  for (const verdict::DifferenceRow& row : result.differences) {
    if (!style.verbose && row.tensor != last_tensor(result)) continue;
    const std::string bad = row.difference.nonfinite > 0 ? fmt::format("  {} not finite", row.difference.nonfinite) : "";
    text += fmt::format("    {:<20} {:<8}{:>9}{:>10}{:>9}{}\n", row.arithmetic, row.tensor, number(row.difference.max_abs),
                        number(row.difference.normwise), row.bound ? number(*row.bound) : "-", bad);
  }
  return text;
}

std::string errors_table(const CaseResult& result, const Style& style) {
  if (result.errors.empty()) return {};
  const std::vector<const ErrorRow*> rows = shown_errors(result, style);
  ErrorWidths widths;
  for (const ErrorRow* row : rows) widths.hold(*row);
  std::string text = fmt::format("\n  measured error, against {}\n", result.reference) + error_heading(widths);
  bool without = false;
  for (const ErrorRow* row : rows) {
    text += error_line(*row, widths, style);
    without = without || row->unbounded > 0;
  }
  if (without) {
    text += "    no bound: an intermediate may overflow, or a statistic lose every digit: nothing is proved\n";
  }
  return text + differences_table(result, style);
}

/// "equal" when all exact checks say so, else the worst verdict.
Verdict joint_verdict(const CaseResult& result) {
  Verdict joint = Verdict::measured;
  for (const ExactCheck& check : result.checks) {
    if (fails(check.verdict)) return check.verdict;
    if (!holds(joint) && joint != Verdict::measured) continue;
    if (check.verdict != Verdict::measured) joint = check.verdict;
  }
  return joint;
}

std::string summary_row(const CaseResult& result, const std::vector<std::string>& arithmetics, const std::string& path, bool first,
                        const Style& style) {
  std::string text =
      first ? fmt::format("{:<28}{}", result.problem.name, coloured(joint_verdict(result), 11, style)) : fmt::format("{:<39}", "");
  if (arithmetics.empty()) return text + "\n";
  const std::string last = last_tensor(result);
  text += fmt::format("{:<9} {:<8}", path, last);
  for (const std::string& name : arithmetics) {
    const auto row = std::find_if(result.errors.begin(), result.errors.end(),
                                  [&](const ErrorRow& r) { return r.arithmetic == name && r.path == path && r.tensor == last; });
    std::string cell = "-";
    if (row != result.errors.end()) {
      cell = row->error.nonfinite > 0 ? "overflow" : number(row->error.normwise);
      cell += row->verdict == Verdict::measured ? "*" : " ";
    }
    text += fmt::format("{:>10}", cell);
  }
  return text + "\n";
}

}  // namespace

std::string describe(const problem::Problem& p) {
  std::string text = fmt::format("{} {}", problem::to_string(p.attention), problem::to_string(p.norm.scheme));
  if (problem::norm_traits(p).normed) {
    text += " " + problem::to_string(p.norm.kind);
    if (p.norm.weight != problem::NormWeight::plain) text += " weight " + problem::to_string(p.norm.weight);
  }
  constexpr std::size_t kLengthsShown = 4;
  const bool many = p.context.size() > kLengthsShown;
  const std::vector<problem::Index> shown(p.context.begin(), many ? p.context.begin() + kLengthsShown : p.context.end());
  text += fmt::format(", B {} S {} T {}{}, H {} G {}", p.batch, p.queries, fmt::join(shown, ","), many ? ",..." : "", p.heads, p.groups);
  if (p.is_mla())
    text += fmt::format(", r {} d_c {} d_r {}", p.latent, p.content_dim, p.rope_dim);
  else
    text += fmt::format(", d {}", p.head_dim);
  text += fmt::format(" d_v {}", p.value_dim);
  if (p.model_dim > 0) text += fmt::format(" d_model {}", p.model_dim);
  if (p.start == problem::Start::x) text += ", from x";
  if (p.mask.kind == problem::MaskKind::window) text += fmt::format(", window {}", p.mask.window);
  return text + fmt::format(", inputs {} seed {}", p.inputs.kind == "file" ? p.inputs.path : p.inputs.kind, p.inputs.seed);
}

std::string summary_text(const verdict::RunResult& run, const Style& style) {
  std::vector<std::string> arithmetics;
  for (const CaseResult& result : run.cases) {
    for (const ErrorRow& row : result.errors) {
      if (std::find(arithmetics.begin(), arithmetics.end(), row.arithmetic) == arithmetics.end()) arithmetics.push_back(row.arithmetic);
    }
  }
  std::string text;
  if (!arithmetics.empty())
    text += "Are the two forms the same function, and how far is each number format from it? (max error / max exact value)\n\n";
  std::string heading = fmt::format("{:<28}{:<11}", "case", "exact");
  if (!arithmetics.empty()) heading += fmt::format("{:<9} {:<8}", "form", "tensor");
  for (const std::string& name : arithmetics) heading += fmt::format("{:>10}", name + " ");
  text += bold(heading, style) + "\n";
  for (const CaseResult& result : run.cases) {
    text += summary_row(result, arithmetics, "explicit", true, style);
    if (!arithmetics.empty()) text += summary_row(result, arithmetics, "absorbed", false, style);
  }
  text += "\n";
  if (!arithmetics.empty()) {
    text +=
        "exact: is explicit = absorbed? Asked of prime field (full size), rationals (small dims), true functions (to 1024 bits)\n"
        "error: each element is held against its own rigorous bound; *: this arithmetic is too narrow for one, measured only\n"
        "all of one case: equinorm verify CASE\n";
  }
  for (const CaseResult& result : run.cases) text += failures_text(result, style);
  return text + closing_text(run, style);
}

std::string full_text(const verdict::RunResult& run, const Style& style) {
  std::string text;
  for (const CaseResult& result : run.cases) {
    text += case_heading(result, style) + conduct_table(result, style) + checks_table(result, style) + explanation_text(result) +
            errors_table(result, style) + (result.faults.empty() ? "" : "\n  known faults that fit\n") + faults_text(result) +
            rules_table(result, style) + "\n";
    if (!failures_text(result, style).empty()) text += reproduction_text(result);
  }
  return text + closing_text(run, style);
}

}  // namespace equinorm::report
