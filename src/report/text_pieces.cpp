#include "report/text_pieces.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace equinorm::report {
namespace {

using verdict::Verdict;

std::string seconds_text(double seconds) { return seconds < 10 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} s", seconds); }

std::string grouped(verdict::Index n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string power(double log2) {
  if (std::isfinite(log2)) return fmt::format("2^{:.0f}", log2);
  return log2 < 0 ? "0" : "not finite";
}

}  // namespace

std::string number(double x) { return x == 0 ? "0" : fmt::format("{:.1e}", x); }

std::string index_text(const std::vector<verdict::Index>& index) { return fmt::format("[{}]", fmt::join(index, ",")); }

std::string bold(const std::string& text, const Style& style) { return style.colour ? "\033[1m" + text + "\033[0m" : text; }

std::string coloured(Verdict verdict, std::size_t width, const Style& style) {
  const std::string text = fmt::format("{:<{}}", to_string(verdict), width);
  if (!style.colour) return text;
  const char* code = holds(verdict) ? "32" : fails(verdict) ? "31" : "33";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::string markup_escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\n':
        result += "&#10;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return result;
}

std::string check_details(const verdict::ExactCheck& check) {
  std::string text = check.scope;
  if (check.elements > 0) text += fmt::format("; {} numbers compared", grouped(check.elements));
  if (check.verdict == Verdict::equal && check.false_equal_log2 < 0)
    text += fmt::format("; P(false 'equal') < 2^{:.0f}", std::ceil(check.false_equal_log2));
  if (!check.rungs.empty()) {
    const verdict::LadderRung &first = check.rungs.front(), &last = check.rungs.back();
    text += fmt::format("; difference {} at {} bits, {} at {}", power(first.log2_difference), first.bits, power(last.log2_difference),
                        last.bits);
    if (std::isfinite(first.log2_difference) && std::isfinite(last.log2_difference)) text += fmt::format("; slope {:.3f}", check.slope);
  }
  return text + "; " + seconds_text(check.seconds);
}

std::string failures_text(const verdict::CaseResult& result, const Style& style) {
  std::string text;
  for (const verdict::ExactCheck& check : result.checks) {
    if (holds(check.verdict) || check.verdict == Verdict::measured) continue;
    text += fmt::format("  {}: {} {}\n", result.problem.name, check.method, coloured(check.verdict, 0, style));
    if (check.difference) {
      const verdict::FirstDifference& d = *check.difference;
      text += fmt::format("    first departs in stage {}, tensor {}{}\n      explicit {}\n      absorbed {}\n", d.stage, d.tensor,
                          index_text(d.index), d.explicit_value, d.absorbed_value);
    }
  }
  for (const verdict::ConductRow& row : result.conduct) {
    if (!holds(row.verdict)) text += fmt::format("  {}: {} {}\n", result.problem.name, row.what, coloured(row.verdict, 0, style));
  }
  for (const verdict::ErrorRow& row : result.errors) {
    if (holds(row.verdict) || row.verdict == Verdict::measured) continue;
    text += fmt::format("  {}: {} of {} {}", result.problem.name, row.tensor, row.path, coloured(row.verdict, 0, style));
    if (row.error.nonfinite > 0) text += fmt::format(" ({} elements, first at {})", row.error.nonfinite, index_text(row.error.worst));
    text += "\n";
  }
  return text.empty() ? text : text + reproduction_text(result);
}

std::string reproduction_text(const verdict::CaseResult& result) { return fmt::format("    reproduce: {}\n", result.reproduce); }

std::string closing_text(const verdict::RunResult& run, const Style& style) {
  int held = 0, failed = 0, open = 0;
  for (const verdict::CaseResult& result : run.cases) {
    for (const Verdict verdict : verdicts(result)) {
      if (holds(verdict))
        ++held;
      else if (fails(verdict))
        ++failed;
      else
        ++open;
    }
  }
  std::string text =
      fmt::format("{} case{}, {} check{}: {} hold, {} fail, {} undecided or skipped", run.cases.size(), run.cases.size() == 1 ? "" : "s",
                  held + failed + open, held + failed + open == 1 ? "" : "s", held, failed, open);
  if (held + failed + open == 0) text = "nothing was decided: errors are measured, and there is no bound to judge them by";
  const int code = exit_code(run);
  return fmt::format("{} ({}; exit code {})\n", bold(text, style), seconds_text(run.seconds), code);
}

}  // namespace equinorm::report
