// The error of a dot product or a sum, in a stated order.
#pragma once

#include <cstdint>
#include <vector>

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
  double own = 0;  ///< what binary64 may lose in a sum that errors are told from, in units of its absolute sum
};

/// Error of a dot product of n terms. factor is phi(h, u/(1+u)) with h the largest number of roundings that a term meets, or n u where
/// products are rounded by themselves, whichever is smaller. `extra` counts further roundings of the running total: rescales, tiles and
/// splits that are joined. On a matrix unit the largest factor of its 16-bit and tf32 inputs and of the fp32 chain that takes other
/// operands; the cuts of subnormal factors are matrix_unit_underflow. 0 terms are exact. `own` comes on top: the distance is that from
/// binary64's sum. Proof: dot_error_height, dot_error_count, dot_fma, dot_flushed_error, truncating_chain, centre_dot.
/// Source: Jeannerod, Rump 2013.
Accumulation accumulation(const Reduction& reduction, std::int64_t n, std::int64_t extra = 0);

/// The same term by term, [n]: |computed - exact| <= sum factor_i |x_i y_i| + accumulation(...).underflow. In a sequence, and in blocks, a
/// late term meets fewer roundings than the first; else every factor is that of `accumulation`. Proof: dot_error_by_term,
/// fma_by_term, sequential_by_term, centre_by_term.
std::vector<double> term_factors(const Reduction& reduction, std::int64_t n);

/// Whether the order is that of a matrix unit, so that matrix_unit_underflow looks at the factors.
inline bool has_matrix_unit(const Reduction& reduction) { return reduction.order.kind == scalar::SumOrder::Kind::tensor_core; }

/// What a matrix unit's cuts may add when a factor is subnormal in its format: 0 for every other order. `largest_factor` is an upper bound
/// of the magnitude of every factor. Derived in src/scalar/tensor_core_error.cpp. Proof: unit_exponent, unit_truncated, unit_rounded,
/// unit_halves.
double matrix_unit_underflow(const Reduction& reduction, std::int64_t n, double largest_factor);

/// h of the order for n terms, product included. Proof: dot_sequential, dot_pairwise, dot_blocked.
std::int64_t rounding_height(const scalar::SumOrder& order, std::int64_t n);

}  // namespace equinorm::bounds
