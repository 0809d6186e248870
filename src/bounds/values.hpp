// Stage `value`: v of one group, as the explicit form averages it, and as the absorbed form's weights do their damage.
#pragma once

#include "bounds/average.hpp"

namespace equinorm::bounds {

/// v = c W_V (mla) or the group's input values (gqa), with what binary64 may lose. Exact for the absorbed form, which never makes them.
/// Proof: radius_dot_exact, rounded_radius, own_by_lengths.
Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g);

}  // namespace equinorm::bounds
