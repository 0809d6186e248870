#include "verdict/verdict.hpp"

#include <algorithm>

namespace equinorm::verdict {

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::equal:
      return "equal";
    case Verdict::different:
      return "different";
    case Verdict::within:
      return "within";
    case Verdict::suspect:
      return "suspect";
    case Verdict::violates:
      return "violates";
    case Verdict::undecided:
      return "undecided";
    case Verdict::nonfinite:
      return "nonfinite";
    case Verdict::wrong_shape:
      return "wrong shape";
    case Verdict::missing:
      return "missing";
    case Verdict::measured:
      return "measured";
    case Verdict::skipped:
      return "skipped";
    case Verdict::kept:
      return "kept";
    case Verdict::failed:
      return "failed";
    case Verdict::crashed:
      return "crashed";
    case Verdict::timed_out:
      return "timed out";
    case Verdict::out_of_memory:
      return "out of memory";
    case Verdict::misbehaved:
      return "misbehaved";
    case Verdict::unwritten:
      return "unwritten";
    case Verdict::out_of_bounds:
      return "out of bounds";
    case Verdict::changed_input:
      return "changed input";
    case Verdict::unsafe:
      return "unsafe";
    case Verdict::stale:
      return "stale output";
    case Verdict::nondeterministic:
      return "nondeterministic";
    case Verdict::not_batch_invariant:
      return "not batch-invariant";
    case Verdict::not_split_invariant:
      return "not split-invariant";
  }
  return "unknown";
}

bool holds(Verdict verdict) {
  return verdict == Verdict::equal || verdict == Verdict::within || verdict == Verdict::suspect || verdict == Verdict::kept;
}

bool fails(Verdict verdict) {
  switch (verdict) {
    case Verdict::undecided:
    case Verdict::equal:
    case Verdict::within:
    case Verdict::suspect:
    case Verdict::measured:
    case Verdict::skipped:
    case Verdict::kept:
      return false;
    default:
      return true;
  }
}

int exit_code(const std::vector<Verdict>& verdicts) {
  if (std::any_of(verdicts.begin(), verdicts.end(), fails)) return 1;
  const auto open = [](Verdict v) { return v == Verdict::undecided || v == Verdict::skipped; };
  if (std::any_of(verdicts.begin(), verdicts.end(), open)) return 3;
  return std::any_of(verdicts.begin(), verdicts.end(), holds) ? 0 : 3;
}

}  // namespace equinorm::verdict
