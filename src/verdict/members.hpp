// All members of every result, for whoever writes results down and reads them back. A struct that grows without its line here does not
// compile there.
#pragma once

#include <tuple>

#include "verdict/judge.hpp"
#include "verdict/results.hpp"

namespace equinorm::verdict {

inline auto members(FirstDifference& x) { return std::tie(x.stage, x.tensor, x.index, x.explicit_value, x.absorbed_value); }
inline auto members(LadderRung& x) { return std::tie(x.bits, x.log2_difference); }
inline auto members(ExactCheck& x) {
  return std::tie(x.method, x.verdict, x.scope, x.elements, x.false_equal_log2, x.difference, x.rungs, x.slope, x.seconds);
}
inline auto members(ErrorStatistics& x) {
  return std::tie(x.elements, x.nonfinite, x.max_abs, x.max_relative, x.max_ulp, x.normwise, x.worst);
}
inline auto members(DifferenceStatistics& x) { return std::tie(x.nonfinite, x.max_abs, x.normwise); }
inline auto members(ErrorRow& x) {
  return std::tie(x.arithmetic, x.path, x.tensor, x.format, x.error, x.bound, x.ratio, x.judged_error, x.unbounded, x.verdict, x.detail,
                  x.main_stage);
}
inline auto members(DifferenceRow& x) { return std::tie(x.arithmetic, x.tensor, x.difference, x.bound); }
inline auto members(Judgement& x) {
  return std::tie(x.verdict, x.elements, x.within, x.beyond, x.undecided, x.unbounded, x.nonfinite, x.improbable, x.nonzero, x.tells,
                  x.ratio, x.largest_bound, x.largest_error, x.worst, x.worst_value, x.worst_exact, x.worst_bound);
}
inline auto members(MutantRow& x) { return std::tie(x.mutant, x.verdict, x.caught_by, x.by_output, x.ratio); }
inline auto members(HuntRow& x) { return std::tie(x.start_ratio, x.worst_ratio, x.start_ulp, x.worst_ulp); }
inline auto members(HuntResult& x) {
  return std::tie(x.rows, x.worst_row, x.evaluations, x.unscored, x.restarts, x.seconds, x.budget, x.file);
}
inline auto members(RuleResult& x) { return std::tie(x.outcome, x.figure, x.threshold, x.detail); }
inline auto members(RuleRow& x) { return std::tie(x.tensor, x.rule, x.result, x.run, x.verdict); }
inline auto members(ConductRow& x) { return std::tie(x.what, x.verdict, x.detail, x.seconds); }
inline auto members(RoundingLine& x) { return std::tie(x.place, x.operations, x.largest_ulp, x.introduced, x.reaches); }
inline auto members(RoundingRow& x) { return std::tie(x.tensor, x.error, x.largest, x.rest, x.lines); }
inline auto members(BranchRow& x) { return std::tie(x.place, x.count); }
inline auto members(Departure& x) { return std::tie(x.tensor, x.element, x.written, x.computed, x.thread); }
inline auto members(Explanation& x) { return std::tie(x.arithmetic, x.rounding, x.branches, x.departure); }
inline auto members(OriginRow& x) { return std::tie(x.tensor, x.element, x.place, x.origin); }
inline auto members(FaultRow& x) { return std::tie(x.fault, x.sentence, x.tensors, x.distance); }
inline auto members(CaseResult& x) {
  return std::tie(x.problem, x.mutant, x.checks, x.errors, x.differences, x.sensitivity, x.hunt, x.rules, x.kernel, x.conduct,
                  x.explanation, x.faults, x.origins, x.reference, x.notes, x.reproduce, x.seconds);
}

}  // namespace equinorm::verdict
