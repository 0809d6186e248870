// Rows of the same tensor's parts -> the row of the whole.
#pragma once

#include "verdict/results.hpp"

namespace equinorm::verdict {

/// Adds a part of the same tensor, indices being those of the whole: sums of counts, maxima, the worst verdict (violates, nonfinite,
/// undecided, measured, suspect, within). The place of the largest error is the first in index order, whatever the order of the parts.
/// A difference has a bound where every part has one. `max_exact` is max |exact| over the finite exact values of the whole, for normwise.
void join(ErrorRow& whole, const ErrorRow& part, double max_exact);
void join(DifferenceRow& whole, const DifferenceRow& part, double max_exact);

}  // namespace equinorm::verdict
