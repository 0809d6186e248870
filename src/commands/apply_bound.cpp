#include "commands/apply_bound.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace equinorm::commands {

using verdict::Judgement;
using verdict::Verdict;

void apply_bound(const Judgement& judgement, Unbounded otherwise, verdict::ErrorRow& row) {
  row.verdict = judgement.verdict;
  row.unbounded = judgement.unbounded;
  if (judgement.elements > judgement.unbounded) {
    row.bound = judgement.largest_bound, row.ratio = judgement.ratio, row.judged_error = judgement.largest_error;
  }
  if (otherwise == Unbounded::undecided && verdict::holds(judgement.verdict) && judgement.blind()) {
    row.verdict = Verdict::undecided;
    row.detail = "its bounds are as large as its elements: zeros would be within, too";
    return;
  }
  const auto worst = [&] {
    return fmt::format("[{}]: got {:.9g}, exact {:.9g}, bound {:.2e}", fmt::join(judgement.worst, ","), judgement.worst_value,
                       judgement.worst_exact, judgement.worst_bound);
  };
  switch (judgement.verdict) {
    case Verdict::violates:
      row.detail = fmt::format("{} of {} elements, worst ({:.3g} times its bound) at {}", judgement.beyond, judgement.elements,
                               judgement.ratio, worst());
      return;
    case Verdict::nonfinite:
      row.detail = fmt::format("{} of {} elements, first at {}", judgement.nonfinite, judgement.elements, worst());
      return;
    case Verdict::suspect:
      row.detail = fmt::format("{} of {} elements lie beyond what random rounding explains", judgement.improbable, judgement.elements);
      return;
    case Verdict::undecided:
      break;
    default:
      return;
  }
  if (judgement.undecided > 0) {
    row.detail =
        fmt::format("{} of {} elements lie closer to their bound than the exact value is known", judgement.undecided, judgement.elements);
    return;
  }
  row.detail = judgement.elements == 0
                   ? "it has no elements"
                   : fmt::format("{} of {} elements have no finite bound: this arithmetic may overflow, or lose every digit, there",
                                 judgement.unbounded, judgement.elements);
  if (otherwise == Unbounded::measured) row.verdict = Verdict::measured;
}

}  // namespace equinorm::commands
