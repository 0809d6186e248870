// The sensitivity matrix: which catalogued wrong forms which case catches.
#include <fmt/format.h>

#include <algorithm>

#include "report/document.hpp"

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
  Table table{
      "Catalogued wrong forms, each run in place of the absorbed form and judged under the case's own bounds. \u25cf caught by an output (o, y or "
      "lse); \u25cb only by a tensor of some stage; \u00b7 not caught; blank: the same function on this case.",
      {"wrong form"},
      {},
      false};
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
  document.blocks.push_back(Paragraph{fmt::format("{} of {} wrong forms that apply are caught by at least one case. {}.", caught, mutants.size(), legend)});
  document.blocks.push_back(std::move(table));
}

}  // namespace equinorm::report
