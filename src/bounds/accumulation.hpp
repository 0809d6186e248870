// The error of a dot product or a sum, in a stated order.
#pragma once

#include <cstdint>

#include "bounds/rounding.hpp"
#include "scalar/sum_order.hpp"

namespace equinorm::bounds {

/// |computed - exact| <= factor * sum |x_i y_i| + underflow, whatever the data.
struct Accumulation {
  double factor = 0;
  double underflow = 0;
};

/// How sums are formed: in which format, in which order, and with exact or rounded products.
struct Reduction {
  Rounding rounding;
  scalar::SumOrder order;
  bool fused;
};

/// Error of a dot product of n terms. factor is phi(h, u/(1+u)) with h the largest number of roundings that a term meets (fdot_error, tree
/// form), or n u where products are rounded by themselves (Jeannerod, Rump 2013), whichever is smaller. `extra` counts further roundings of
/// the running total: rescales, tiles and splits that are joined. 0 terms are exact.
Accumulation accumulation(const Reduction& reduction, std::int64_t n, std::int64_t extra = 0);

/// h of the order for n terms, product included.
std::int64_t rounding_height(const scalar::SumOrder& order, std::int64_t n);

}  // namespace equinorm::bounds
