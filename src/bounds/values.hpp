// Stage `value`: v of one group, as the explicit form averages it, and as the absorbed form's weights do their damage.
#pragma once

#include "bounds/average.hpp"

namespace equinorm::bounds {

/// v = c W_V (mla) or the group's input values (gqa), with what binary64 may lose. Exact for the absorbed form, which never makes them.
/// `row` must know its own_sources. Proof: radius_dot_exact, rounded_radius, own_by_lengths, own_values.
Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g);

/// Largest of each column of x >= 0, over rows first, first + stride, ...
std::vector<double> column_maxima(const Tensor<double>& x, Index stride, Index first);

}  // namespace equinorm::bounds
