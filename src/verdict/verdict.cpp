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
  }
  return "unknown";
}

bool holds(Verdict verdict) { return verdict == Verdict::equal || verdict == Verdict::within || verdict == Verdict::suspect; }

bool fails(Verdict verdict) {
  return verdict == Verdict::different || verdict == Verdict::violates || verdict == Verdict::nonfinite ||
         verdict == Verdict::wrong_shape || verdict == Verdict::missing;
}

int exit_code(const std::vector<Verdict>& verdicts) {
  if (std::any_of(verdicts.begin(), verdicts.end(), fails)) return 1;
  const auto open = [](Verdict v) { return v == Verdict::undecided || v == Verdict::skipped; };
  if (std::any_of(verdicts.begin(), verdicts.end(), open)) return 3;
  return std::any_of(verdicts.begin(), verdicts.end(), holds) ? 0 : 3;
}

}  // namespace equinorm::verdict
