#include "report/rules_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

std::string rule_line(const verdict::RuleRow& row) {
  const bool applies = row.result.outcome != verdict::RuleOutcome::not_applicable;
  const auto show = [&](double x) { return !applies ? "-" : std::isnan(x) ? "nan" : number(x); };
  return fmt::format("    {:<19}{:>9}{:>11}  {:<16}{}\n", row.rule, show(row.result.figure), show(row.result.threshold),
                     to_string(row.result.outcome), row.result.detail);
}

}  // namespace

std::string rules_table(const verdict::CaseResult& result, const Style& style) {
  std::string text, tensor;
  for (const verdict::RuleRow& row : result.rules) {
    if (text.empty()) text += "\n  public acceptance rules, for comparison: they decide nothing here\n";
    if (row.tensor != tensor) {
      tensor = row.tensor;
      const auto own = std::find_if(result.errors.begin(), result.errors.end(), [&](const auto& error) { return error.tensor == tensor; });
      text += fmt::format("    {} ({}), own verdict: {}\n", bold(tensor, style), own == result.errors.end() ? "-" : own->arithmetic,
                          own == result.errors.end() ? "-" : coloured(own->verdict, 0, style));
      text += fmt::format("    {:<19}{:>9}{:>11}  {:<16}{}\n", "rule", "figure", "threshold", "says", "of what");
    }
    text += rule_line(row);
  }
  return text;
}

}  // namespace equinorm::report
