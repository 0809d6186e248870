#include "report/document.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/bound_proofs.hpp"
#include "report/figures.hpp"
#include "report/terminal.hpp"
#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

using verdict::ErrorRow;
using verdict::ExactCheck;
using verdict::Verdict;

struct Tally {
  std::size_t hold = 0, fail = 0, open = 0, measured = 0;

  void count(Verdict verdict) {
    if (verdict == Verdict::measured) {
      ++measured;
    } else {
      ++(holds(verdict) ? hold : fails(verdict) ? fail : open);
    }
  }
  std::string text() const { return fmt::format("{} hold, {} fail, {} are undecided, {} carry no verdict", hold, fail, open, measured); }
};

std::string slug(const std::string& name) {
  std::string text;
  for (const char c : name) text += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return text;
}

std::string percent(double part, double whole) { return whole > 0 ? fmt::format("{:.2f} %", 100 * part / whole) : "-"; }

}  // namespace

std::string figure_name(const char* kind, std::size_t index, const CaseReport& one) {
  return fmt::format("{}-{}-{}", kind, index + 1, slug(one.result.problem.name));
}

void add_summary(const Report& report, Document& document) {
  Tally exact, rows;
  for (const CaseReport& one : report.cases) {
    for (const ExactCheck& check : one.result.checks) exact.count(check.verdict);
    for (const ErrorRow& row : one.result.errors) rows.count(row.verdict);
  }
  document.blocks.push_back(Paragraph{
      "Are the explicit and the absorbed form of QK-normed attention the same function, and what does each number format make of it? Every "
      "number here was computed by the run named below; every verdict follows from exact arithmetic or from a rigorous error bound of the "
      "declared arithmetic, never from a tolerance set by hand."});
  document.blocks.push_back(Paragraph{fmt::format("{} case{}. Exact checks: {}. Measured errors under their bounds: {}.",
                                                  report.cases.size(), report.cases.size() == 1 ? "" : "s", exact.text(), rows.text())});
  document.blocks.push_back(Paragraph{fmt::format("Made by: {} ({:.0f} s)", report.command, report.seconds)});
  Table cases{"The cases.", {"case", "problem", "measured against"}, {}, false};
  for (const CaseReport& one : report.cases) {
    std::string notes;
    for (const std::string& note : one.result.notes) notes += "; " + note;
    cases.rows.push_back(
        {one.result.problem.name, describe(one.result.problem) + notes, one.result.reference.empty() ? "-" : one.result.reference});
  }
  if (!cases.rows.empty()) document.blocks.push_back(std::move(cases));
}

void add_exact_checks(const Report& report, Document& document) {
  Table table{"Explicit = absorbed, decided without rounding.", {"case", "check", "verdict", "details"}, {}, false};
  bool ladder = false;
  for (const CaseReport& one : report.cases) {
    for (const ExactCheck& check : one.result.checks) {
      std::string details = check_details(check);
      if (check.difference) {
        details += fmt::format("; first departs in stage {}, tensor {}{}", check.difference->stage, check.difference->tensor,
                               index_text(check.difference->index));
      }
      table.rows.push_back(
          {one.result.problem.name, check.method, check.verdict == Verdict::measured ? "not run" : to_string(check.verdict), details});
      ladder = ladder || !check.rungs.empty();
    }
  }
  if (table.rows.empty()) return;
  document.blocks.push_back(Heading{2, "The same function?"});
  document.blocks.push_back(Paragraph{
      "The prime field runs both forms at full size where nothing is ever rounded and exp, rsqrt, tanh and sigmoid are random functions; "
      "the "
      "rationals run them on small dimensions in exact fractions; the precision ladder runs the true functions at rising precision."});
  document.blocks.push_back(std::move(table));
  if (ladder) document.blocks.push_back(ladder_figure(report));
}

void add_stage_errors(const Report& report, Document& document) {
  bool started = false;
  for (std::size_t i = 0; i < report.cases.size(); ++i) {
    const CaseReport& one = report.cases[i];
    if (one.result.errors.empty()) continue;
    if (!started) {
      document.blocks.push_back(Heading{2, "Measured error against rigorous bound, stage by stage"});
      document.blocks.push_back(
          Paragraph{"A name such as bf16/fp32 means inputs and o in bf16, everything else in fp32; a single name means that every "
                    "operation is rounded "
                    "to that format. Where the inputs do not fit the storage format, an error beside a bound is that against the exact "
                    "function of the inputs as that format holds them."});
    }
    started = true;
    document.blocks.push_back(Heading{3, one.result.problem.name});
    document.blocks.push_back(stage_figure(one, figure_name("stages", i, one)));
  }
}

void add_histograms(const Report& report, Document& document) {
  bool started = false;
  for (std::size_t i = 0; i < report.cases.size(); ++i) {
    const CaseReport& one = report.cases[i];
    if (one.histograms.empty()) continue;
    if (!started) document.blocks.push_back(Heading{2, "Errors in units in the last place"});
    started = true;
    document.blocks.push_back(Heading{3, one.result.problem.name});
    document.blocks.push_back(histogram_figure(one, figure_name("ulp", i, one)));
  }
}

void add_growth(const Report& report, Document& document) {
  if (report.growth.empty()) return;
  document.blocks.push_back(Heading{2, "Growth of the error"});
  document.blocks.push_back(Paragraph{
      "Grades follow the slope of log error against log n, fitted by least squares: A at most 0.25 (does not grow), B at most 0.75 (like "
      "sqrt(n), as random roundings do), C at most 1.25 (like n, the worst case of a sum), D above (no rounding in a sum explains it)."});
  std::vector<std::string> tensors;
  for (const GrowthSeries& series : report.growth) {
    if (std::find(tensors.begin(), tensors.end(), series.tensor) == tensors.end()) tensors.push_back(series.tensor);
  }
  for (const std::string& tensor : tensors) {
    Figure figure = growth_figure(report, tensor);
    Table grades = figure.data;
    grades.caption = fmt::format("Slopes and grades, {}.", tensor);
    for (std::vector<std::string>& row : grades.rows) row.pop_back();
    grades.columns.pop_back();
    document.blocks.push_back(std::move(figure));
    document.blocks.push_back(std::move(grades));
  }
}

void add_logit_control(const Report& report, Document& document) {
  if (!report.logit_control) return;
  document.blocks.push_back(Heading{2, "Logit control"});
  document.blocks.push_back(logit_figure(*report.logit_control));
}

void add_verdicts(const Report& report, Document& document) {
  Table table{"The verdict of every row, and its largest error, bound and error over bound.",
              {"case", "arithmetic", "form", "tensor", "max |error|", "ulp", "bound", "error / bound", "verdict", "detail"},
              {},
              true};
  for (const CaseReport& one : report.cases) {
    for (const ErrorRow& row : one.result.errors) {
      table.rows.push_back({one.result.problem.name, row.arithmetic, row.path, row.tensor, figure_number(row.error.max_abs),
                            figure_number(row.error.max_ulp), row.bound ? figure_number(*row.bound) : "-",
                            row.ratio ? figure_number(*row.ratio) : "-",
                            row.verdict == Verdict::measured ? "no verdict" : to_string(row.verdict), row.detail});
    }
  }
  if (table.rows.empty()) return;
  document.blocks.push_back(Heading{2, "Every verdict"});
  document.blocks.push_back(std::move(table));
}

void add_bound_proofs(const Report& report, Document& document) {
  const bool bounded = std::any_of(report.cases.begin(), report.cases.end(), [](const CaseReport& one) {
    return std::any_of(one.result.errors.begin(), one.result.errors.end(), [](const ErrorRow& row) { return row.bound.has_value(); });
  });
  if (!bounded) return;
  document.blocks.push_back(Heading{2, "What the bounds rest on"});
  document.blocks.push_back(
      Paragraph{"Each bound is computed by the functions below, in src/. Coq has checked the theorems beside them, in proofs/, about real "
                "numbers and the rounding of the declared formats; not that the C++ text computes their formulas. What declared formats "
                "assume of exp, rsqrt, log and tanh, and of matrix units, is assumed there too."});
  Table table{"Bounds, the functions that compute them, the theorems that these rest on.",
              {"bounds of", "computed by", "theorems", "not machine-checked"},
              {},
              true};
  for (const BoundProof& row : bound_proofs()) {
    const std::string open = row.unchecked[0] == '\0' ? "-" : fmt::format("not machine-checked: {}", row.unchecked);
    table.rows.push_back({row.bounds, row.function, row.theorems[0] == '\0' ? "none" : row.theorems, open});
  }
  document.blocks.push_back(std::move(table));
}

void add_tables(const Report& report, Document& document) {
  for (const NamedTable& named : report.tables) {
    document.blocks.push_back(Heading{2, named.title});
    document.blocks.push_back(Table{named.caption, named.columns, named.rows, false});
  }
}

Table cache_table(const std::vector<CacheRow>& rows) {
  Table table{
      "Bytes of one token in the cache of one layer: what storing alpha_k, one number for each group, adds.",
      {"problem", "groups", "cache", "alpha_k in", "latent (B)", "RoPE key (B)", "alpha_k (B)", "of the latent", "of latent + RoPE"},
      {},
      false};
  for (const CacheRow& row : rows) {
    table.rows.push_back({row.name, std::to_string(row.groups), row.storage, row.alpha_format, fmt::format("{:g}", row.latent),
                          fmt::format("{:g}", row.rope), fmt::format("{:g}", row.alpha), percent(row.alpha, row.latent),
                          percent(row.alpha, row.latent + row.rope)});
  }
  return table;
}

Document make_document(const Report& report) {
  Document document{"Precision report: QK-normed attention, explicit and absorbed", {}};
  add_summary(report, document);
  add_exact_checks(report, document);
  add_stage_errors(report, document);
  add_histograms(report, document);
  add_storage(report, document);
  add_growth(report, document);
  add_logit_control(report, document);
  add_sensitivity(report, document);
  add_rules(report, document);
  add_tables(report, document);
  add_verdicts(report, document);
  add_bound_proofs(report, document);
  return document;
}

}  // namespace equinorm::report
