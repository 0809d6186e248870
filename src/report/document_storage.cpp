// The section on what may be stored in 16 bits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/document.hpp"
#include "report/figures.hpp"

namespace equinorm::report {
namespace {

/// Cost beside storing o: up to the first, nothing that shows; up to the second, less than o itself; up to the third, more; beyond, keep
/// it.
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
  if (!cost) return "must not be stored: the output is then not finite, or there is nothing to compare it with";
  if (*cost <= kLost) return "may be stored: the cost is lost beside the rounding of o";
  if (*cost <= kLess) return "may be stored where o is: it costs no more than the rounding of o";
  if (*cost <= kMore) return "costs more than the rounding of o, so store it only where that error can be borne";
  return "should stay in fp32, or in a wider split of two 16-bit parts";
}

/// The row of this tensor and format whose form pays most.
const StorageRow* dearest(const CaseReport& one, const std::string& tensor, scalar::Format format) {
  const StorageRow* found = nullptr;
  double most = -1;
  for (const StorageRow& row : one.storage) {
    if (row.tensor != tensor || row.format != format) continue;
    const double cost = relative_cost(one, row).value_or(HUGE_VAL);
    if (cost > most) most = cost, found = &row;
  }
  return found;
}

std::string advice_on(const CaseReport& one, const StorageRow& row) {
  const std::optional<double> cost = relative_cost(one, row);
  std::string text = fmt::format("in {} it {}", scalar::to_string(row.format), judgement(cost));
  if (!cost) return text;
  text += fmt::format(" ({:.2g} times that, {} form: error {} where all fp32 gives {}", *cost, row.path, figure_number(row.error),
                      figure_number(row.base_error));
  return text + (row.bound ? fmt::format(", never above {})", figure_number(*row.bound)) : ", no finite bound)");
}

/// What kappa says of the absorbed form, where it says something.
std::string amplification(const StorageRow* row) {
  if (row == nullptr || !row->kappa_2 || !row->kappa_centred) return "";
  const double plain = *row->kappa_2, centred = *row->kappa_centred;
  const std::string numbers = fmt::format("kappa_2 {}, centred {}", figure_number(plain), figure_number(centred));
  if (centred > 1) return fmt::format("; its rounding moves what softmax sees more than storing q_hat and k_hat does ({})", numbers);
  if (plain > 1) return fmt::format("; its rounding moves the logits more than storing q_hat and k_hat does, but alike ({})", numbers);
  return fmt::format("; its rounding moves the logits no more than storing q_hat and k_hat does ({})", numbers);
}

const StorageRow* with_kappa(const CaseReport& one, const std::string& tensor) {
  for (const StorageRow& row : one.storage) {
    if (row.tensor == tensor && row.kappa_2) return &row;
  }
  return nullptr;
}

/// One sentence for each tensor, from the numbers of its rows; of two forms, the one that pays more.
std::vector<std::string> advice(const CaseReport& one) {
  std::vector<std::string> lines, done;
  for (const StorageRow& row : one.storage) {
    if (row.yardstick || std::find(done.begin(), done.end(), row.tensor) != done.end()) continue;
    done.push_back(row.tensor);
    std::string line = row.tensor + ": ";
    for (const scalar::Format format : {scalar::kBf16, scalar::kFp16}) {
      const StorageRow* worst = dearest(one, row.tensor, format);
      if (worst != nullptr) line += (line.ends_with(": ") ? "" : "; ") + advice_on(one, *worst);
    }
    lines.push_back(line + amplification(with_kappa(one, row.tensor)) + ".");
  }
  return lines;
}

Table storage_table(const CaseReport& one) {
  Table table{
      "Storing one tensor in 16 bits, all else in fp32. Error and bound: largest over the output's elements, relative to its largest. "
      "Change: rms, of the tensor where the rounding shows first; predicted from kappa's sums, 0.4247 u times the root of the mean "
      "square (a model of random roundings, not machine-checked).",
      {"stored", "in", "form", "error", "error, all fp32", "bound", "bound, all fp32", "seen in", "rms change", "predicted", "kappa_w",
       "kappa_2", "centred", "kappa_V"},
      {},
      false};
  for (const StorageRow& row : one.storage) {
    table.rows.push_back({row.tensor + (row.yardstick ? " (yardstick)" : ""), scalar::to_string(row.format), row.path,
                          figure_number(row.error), figure_number(row.base_error), shown(row.bound), shown(row.base_bound), row.seen_in,
                          figure_number(row.moved), shown(row.predicted), shown(row.kappa_w), shown(row.kappa_2), shown(row.kappa_centred),
                          shown(row.kappa_v)});
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
        "kappa compares the content logits of the absorbed form, with this tensor stored, to those of the explicit form that stores q_hat "
        "and "
        "k_hat in the same format: kappa_w the largest possible errors, kappa_2 typical (rms) ones, centred the same of what softmax sees: "
        "a part that all tokens "
        "share is gone; above 1 absorption is worse. For gqa the deferred form takes the place of the absorbed one. kappa_V "
        "compares storing u with storing v, worst case. The advice follows from the measured cost beside that of storing o: up to {:g} "
        "times, up "
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
