#include "verdict/join.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace equinorm::verdict {
namespace {

constexpr std::array kGravity{Verdict::equal,    Verdict::within,      Verdict::suspect,   Verdict::skipped,
                              Verdict::measured, Verdict::undecided,   Verdict::nonfinite, Verdict::different,
                              Verdict::violates, Verdict::wrong_shape, Verdict::missing};

std::ptrdiff_t gravity(Verdict verdict) { return std::find(kGravity.begin(), kGravity.end(), verdict) - kGravity.begin(); }

std::optional<double> larger(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::fmax(*a, *b) : a ? a : b;
}

/// Whether the part's worst element is the whole's.
bool is_worse(const ErrorStatistics& part, const ErrorStatistics& whole) {
  if (part.worst.empty() || whole.worst.empty()) return whole.worst.empty();
  if ((part.nonfinite > 0) != (whole.nonfinite > 0)) return part.nonfinite > 0;
  if (part.nonfinite == 0 && part.max_abs != whole.max_abs) return part.max_abs > whole.max_abs;
  return part.worst < whole.worst;
}

double normwise(double max_abs, double max_exact) { return max_exact > 0 ? max_abs / max_exact : 0; }

}  // namespace

void join(ErrorRow& whole, const ErrorRow& part, double max_exact) {
  // A row without a token has nothing to say, not even that it is within its bound.
  if (part.error.elements == 0) return;
  if (whole.error.elements == 0) whole.verdict = part.verdict, whole.detail.clear();
  ErrorStatistics& error = whole.error;
  if (is_worse(part.error, error)) error.worst = part.error.worst;
  error.elements += part.error.elements, error.nonfinite += part.error.nonfinite;
  error.max_abs = std::fmax(error.max_abs, part.error.max_abs);
  error.max_relative = std::fmax(error.max_relative, part.error.max_relative);
  error.max_ulp = std::fmax(error.max_ulp, part.error.max_ulp);
  error.normwise = normwise(error.max_abs, max_exact);
  whole.bound = larger(whole.bound, part.bound), whole.ratio = larger(whole.ratio, part.ratio);
  whole.judged_error = larger(whole.judged_error, part.judged_error);
  whole.unbounded += part.unbounded;
  if (gravity(part.verdict) > gravity(whole.verdict)) whole.verdict = part.verdict;
  if (!part.detail.empty()) whole.detail += (whole.detail.empty() ? "" : "; ") + part.detail;
  if (whole.main_stage.empty()) whole.main_stage = part.main_stage;
}

void join(DifferenceRow& whole, const DifferenceRow& part, double max_exact) {
  DifferenceStatistics& difference = whole.difference;
  difference.nonfinite += part.difference.nonfinite;
  difference.max_abs = std::fmax(difference.max_abs, part.difference.max_abs);
  difference.normwise = normwise(difference.max_abs, max_exact);
  whole.bound = whole.bound && part.bound ? larger(whole.bound, part.bound) : std::nullopt;
}

}  // namespace equinorm::verdict
