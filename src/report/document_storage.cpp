// The section on what may be stored in 16 bits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/document.hpp"
#include "report/figures.hpp"

namespace equinorm::report {
namespace {

/// Cost beside storing o: up to the first, nothing that shows; up to the second, less than o itself; up to the third, more; beyond, keep it.
constexpr double kLost = 0.25, kLess = 1, kMore = 4;

std::string shown(const std::optional<double>& x) { return x ? figure_number(*x) : "-"; }

const StorageRow* yardstick(const CaseReport& one, const StorageRow& row) {
  for (const StorageRow& other : one.storage) {
    if (other.tensor == "o" && other.path == row.path && other.format == row.format) return &other;
  }
  return nullptr;
}

/// What storing `row` adds to the error of the output, in units of what storing o itself adds. None where that cannot be said.
std::optional<double> relative_cost(const CaseReport& one, const StorageRow& row) {
  const StorageRow* own = yardstick(one, row);
  if (own == nullptr || !(own->error > own->base_error) || !std::isfinite(row.error)) return {};
  return std::max(0.0, row.error - row.base_error) / (own->error - own->base_error);
}

std::string judgement(const std::optional<double>& cost) {
  if (!cost) return "must not be stored so: the output is not finite, or there is nothing to compare it with";
  if (*cost <= kLost) return "may be stored so: the cost is lost beside the rounding of o";
  if (*cost <= kLess) return "may be stored so where o is: it costs no more than the rounding of o";
  if (*cost <= kMore) return "costs more than the rounding of o: store it so only where that error can be borne";
  return "should stay in fp32, or in a wider split of two 16-bit parts";
}

/// One sentence for each tensor and form, from the numbers of its rows.
std::vector<std::string> advice(const CaseReport& one) {
  std::vector<std::string> lines;
  for (auto first = one.storage.begin(); first != one.storage.end(); ++first) {
    const auto same = [&](const StorageRow& row) { return row.tensor == first->tensor && row.path == first->path; };
    if (first->yardstick || std::find_if(one.storage.begin(), first, same) != first) continue;
    std::string line = fmt::format("{} ({} form):", first->tensor, first->path);
    const char* separator = " ";
    for (auto row = first; row != one.storage.end(); ++row) {
      if (!same(*row)) continue;
      const std::optional<double> cost = relative_cost(one, *row);
      line += fmt::format("{}in {} it {}", separator, scalar::to_string(row->format), judgement(cost));
      if (cost) {
        line += fmt::format(" (it adds {:.2g} times what storing o adds; error {} where all fp32 gives {}", *cost, figure_number(row->error),
                            figure_number(row->base_error));
        line += row->bound ? fmt::format(", never above {})", figure_number(*row->bound)) : ", no finite bound)";
      }
      separator = "; ";
    }
    lines.push_back(line + ".");
  }
  return lines;
}

Table storage_table(const CaseReport& one) {
  Table table{"Storing one tensor in 16 bits, all else in fp32. Error and bound: largest over the output's elements, relative to its largest. "
              "Change: rms, of the tensor where the rounding shows first; predicted from kappa's sums, 0.4247 u times the root of the mean "
              "square.",
              {"stored", "in", "form", "error", "all fp32", "bound", "all fp32", "seen in", "rms change", "predicted", "kappa_w", "kappa_2",
               "kappa_V"},
              {},
              false};
  for (const StorageRow& row : one.storage) {
    table.rows.push_back({row.tensor + (row.yardstick ? " (yardstick)" : ""), scalar::to_string(row.format), row.path, figure_number(row.error),
                          figure_number(row.base_error), shown(row.bound), shown(row.base_bound), row.seen_in, figure_number(row.moved),
                          shown(row.predicted), shown(row.kappa_w), shown(row.kappa_2), shown(row.kappa_v)});
  }
  return table;
}

}  // namespace

void add_storage(const Report& report, Document& document) {
  const bool any = std::any_of(report.cases.begin(), report.cases.end(), [](const CaseReport& one) { return !one.storage.empty(); });
  if (!any && report.cache.empty()) return;
  document.blocks.push_back(Heading{2, "What may be stored in 16 bits"});
  if (any) {
    document.blocks.push_back(Paragraph{fmt::format(
        "kappa compares the content logits of the absorbed form, with this tensor stored, to those of the explicit form that stores q_hat and "
        "k_hat in the same format: kappa_w the largest possible errors, kappa_2 typical (rms) ones; above 1 absorption is worse. kappa_V "
        "compares storing u with storing v, worst case. The advice follows from the measured cost beside that of storing o: up to {:g} times, up "
        "to {:g}, up to {:g}, and beyond.",
        kLost, kLess, kMore)});
  }
  if (!report.cache.empty()) document.blocks.push_back(cache_table(report.cache));
  for (std::size_t i = 0; i < report.cases.size(); ++i) {
    const CaseReport& one = report.cases[i];
    if (one.storage.empty()) continue;
    document.blocks.push_back(Heading{3, one.result.problem.name});
    for (const std::string& note : one.storage_notes) document.blocks.push_back(Paragraph{note});
    document.blocks.push_back(storage_figure(one, figure_name("storage", i, one)));
    document.blocks.push_back(storage_table(one));
    for (const std::string& line : advice(one)) document.blocks.push_back(Paragraph{line});
  }
}

}  // namespace equinorm::report
