// Stage `value`: v of one group, as the explicit form averages it, and as the absorbed form's weights do their damage.
#pragma once

#include "bounds/average.hpp"

namespace equinorm::bounds {

/// Length of the longest latent, as own_by_lengths takes it: with what the projection may lose, where there is one.
double longest_latent(const Setting& at, const RowSources& sources);

/// v = c W_V (mla) or the group's input values (gqa), with what binary64 may lose. Exact for the absorbed form, which never makes them.
/// Made `blocks` of tokens at a time; `longest`: longest_latent. Proof: radius_dot_exact, rounded_radius, own_by_lengths.
Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowSources& sources, const std::vector<Tokens>& blocks,
                    double longest, Index g);

}  // namespace equinorm::bounds
