// What one unit finds out about a case of a precision report, in sums, counts and maxima that the units of other blocks join.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "commands/codec.hpp"
#include "commands/report_amplification.hpp"
#include "report/report.hpp"

namespace equinorm::commands {

/// A row of the storage what-if. Errors and bounds are absolute, over the elements of the block: the largest of the blocks is the whole's.
/// `row.moved` is a sum of squares over `changed` elements; `largest` is the last output's largest exact element.
struct StorageFigures {
  report::StorageRow row;
  double changed = 0, largest = 0;
};
inline auto members(StorageFigures& x) { return std::tie(x.row, x.changed, x.largest); }

/// Output o of the run that public acceptance rules judge, with what they need of it, element by element in the order of the block.
struct RuleSample {
  problem::Index batch_row = 0, first_head = 0, heads = 0;
  std::vector<double> output, exact, naive, magnitude;
  std::vector<double> extremes;  ///< largest |q_hat|, |k_hat|, |v|
};
inline auto members(RuleSample& x) {
  return std::tie(x.batch_row, x.first_head, x.heads, x.output, x.exact, x.naive, x.magnitude, x.extremes);
}

inline auto members(Amplification& x) { return std::tie(x.content, x.whole, x.output, x.scale); }

struct CaseFindings {
  std::size_t case_index = 0;
  bool cut = false;                         ///< the case is measured in several blocks
  std::map<std::string, double> max_exact;  ///< by output: max |exact| over the finite exact values of the block
  report::CaseReport found;                 ///< errors, differences and histograms of the block; no storage rows
  std::vector<StorageFigures> storage;
  std::optional<Amplification> amplification;
  std::vector<RuleSample> rules;  ///< where found.result.rules cannot be filled from a block alone
};
inline auto members(CaseFindings& x) { return std::tie(x.case_index, x.cut, x.max_exact, x.found, x.storage, x.amplification, x.rules); }

/// The cases of a report from the findings of all units, in the order of the units. A row's verdict is the worst of its blocks', its
/// figures are sums, maxima and the first worst element; normwise errors, shares of the largest element, bounds of differences, rms
/// changes, predictions and the public rules are worked out from what the blocks bring together. What depends on the cut: the reference's
/// last bits, and each block's word on how narrow it is; the bound of the logits' difference, the largest of the blocks', may be less than
/// the whole's; rows of which padding alone has a bound, 0, have none.
std::vector<report::CaseReport> gather_findings(std::vector<CaseFindings>&& all);

/// The rows of the storage what-if, in the order of the tensors.
std::vector<report::StorageRow> storage_rows(const problem::Problem& problem, const std::vector<StorageFigures>& figures,
                                             const Amplification& amplification);

/// The arithmetic whose absorbed form the rules judge.
std::string rules_arithmetic(const problem::Problem& problem);
/// What the rules say of o of the whole problem, put together from its blocks.
std::vector<verdict::RuleRow> judged_rules(const problem::Problem& problem, const std::vector<RuleSample>& samples);

}  // namespace equinorm::commands
