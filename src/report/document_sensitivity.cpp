// What the verdicts are worth: the wrong forms that each case catches, and public acceptance rules beside our verdicts.
#include <fmt/format.h>

#include <algorithm>

#include "report/document.hpp"
#include "report/figures.hpp"

namespace equinorm::report {
namespace {

using verdict::MutantRow;

const MutantRow* find(const CaseReport& one, const std::string& mutant) {
  for (const MutantRow& row : one.result.sensitivity) {
    if (row.mutant == mutant) return &row;
  }
  return nullptr;
}

std::string mark(const MutantRow* row) {
  if (row == nullptr) return "";
  if (!verdict::fails(row->verdict)) return "\u00b7";
  return row->by_output ? "\u25cf" : "\u25cb";
}

/// Puts `text` in the row that begins with `head` and the column `column`, adding either where it is missing.
void place(const std::vector<std::string>& head, const std::string& column, const std::string& text, Table& table) {
  std::size_t at = static_cast<std::size_t>(std::find(table.columns.begin(), table.columns.end(), column) - table.columns.begin());
  if (at == table.columns.size()) table.columns.push_back(column);
  auto row = std::find_if(table.rows.begin(), table.rows.end(),
                          [&](const std::vector<std::string>& cells) { return std::equal(head.begin(), head.end(), cells.begin()); });
  if (row == table.rows.end()) row = table.rows.insert(row, head);
  while (row->size() <= at) row->emplace_back("-");
  (*row)[at] = text;
}

}  // namespace

void add_sensitivity(const Report& report, Document& document) {
  std::vector<const CaseReport*> cases;
  std::vector<std::string> mutants;
  for (const CaseReport& one : report.cases) {
    if (!one.result.sensitivity.empty()) cases.push_back(&one);
    for (const MutantRow& row : one.result.sensitivity) {
      if (std::find(mutants.begin(), mutants.end(), row.mutant) == mutants.end()) mutants.push_back(row.mutant);
    }
  }
  if (cases.empty()) return;
  Table table{"", {"wrong form"}, {}, false};
  std::string legend;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    table.columns.push_back(std::to_string(i + 1));
    legend += fmt::format("{}{} {}", i == 0 ? "Columns: " : ", ", i + 1, cases[i]->result.problem.name);
  }
  std::size_t caught = 0;
  for (const std::string& mutant : mutants) {
    std::vector<std::string> row{mutant};
    bool any = false;
    for (const CaseReport* one : cases) {
      const MutantRow* found = find(*one, mutant);
      any = any || (found != nullptr && verdict::fails(found->verdict));
      row.push_back(mark(found));
    }
    caught += any ? 1 : 0;
    table.rows.push_back(std::move(row));
  }
  document.blocks.push_back(Heading{2, "What each case can catch"});
  document.blocks.push_back(Paragraph{
      fmt::format("{} of {} catalogued wrong forms that apply are caught by at least one case: each was run in place of the "
                  "absorbed form and judged under the case's own bounds. \u25cf caught by an output (o, y or lse); \u25cb only by "
                  "a tensor of some stage; \u00b7 not caught; blank: the same function on this case. {}.",
                  caught, mutants.size(), legend)});
  document.blocks.push_back(std::move(table));
}

void add_rules(const Report& report, Document& document) {
  Table said{"", {"case", "output", "our verdict"}, {}, false};
  Table figures{"What each rule measured, and its threshold.",
                {"case", "output", "our verdict", "rule", "says", "its figure", "its threshold"},
                {},
                true};
  for (const CaseReport& one : report.cases) {
    for (const verdict::RuleRow& row : one.result.rules) {
      std::string ours = "-";
      for (const verdict::ErrorRow& error : one.result.errors) ours = error.tensor == row.tensor ? to_string(error.verdict) : ours;
      if (row.verdict) ours = to_string(*row.verdict);
      const std::string output = row.run.empty() ? row.tensor : row.tensor + " of " + row.run;
      const bool applies = row.result.outcome != verdict::RuleOutcome::not_applicable;
      figures.rows.push_back({one.result.problem.name, output, ours, row.rule, to_string(row.result.outcome),
                              applies ? figure_number(row.result.figure) : "-", applies ? figure_number(row.result.threshold) : "-"});
      place({one.result.problem.name, output, ours}, row.rule, applies ? to_string(row.result.outcome) : "-", said);
    }
  }
  if (figures.rows.empty()) return;
  document.blocks.push_back(Heading{2, "Beside public acceptance rules"});
  document.blocks.push_back(
      Paragraph{"What public acceptance rules, each as published, say of the same outputs beside our verdict. They decide nothing here."});
  document.blocks.push_back(std::move(said));
  document.blocks.push_back(std::move(figures));
}

}  // namespace equinorm::report
