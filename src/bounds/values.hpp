// Stage `value`: v of one group, as the explicit form averages it, and as the absorbed form's weights do their damage.
#pragma once

#include "bounds/average.hpp"

namespace equinorm::bounds {

/// Lengths of the longest latent and of the longest error of one, as own_by_lengths and own_values take them: `own` are those of binary64.
struct LatentLengths {
  double longest = 0, far = 0;
};
LatentLengths latent_lengths(const RowSources& sources, const RowSources& own, Index width);

/// v = c W_V (mla) or the group's input values (gqa), with what binary64 may lose. Exact for the absorbed form, which never makes them.
/// Made `blocks` of tokens at a time; `own` are the sources of binary64, whose radii say how far it may be from exact. Proof:
/// radius_dot_exact, rounded_radius, own_by_lengths, own_values.
Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowSources& sources, const RowSources& own,
                    const std::vector<Tokens>& blocks, const LatentLengths& lengths, Index g);

/// Largest of each column of x >= 0 [rows,width]; empty where x is null.
std::vector<double> column_maxima(const double* x, Index rows, Index width);

}  // namespace equinorm::bounds
