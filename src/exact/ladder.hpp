// The precision ladder: with true functions, the two forms differ by rounding alone, so their difference must fall with the precision.
#pragma once

#include <vector>

#include "problem/problem.hpp"
#include "scalar/truth.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::exact {

struct Rung {
  int bits;
  /// log2 of the largest over logits, lse and outputs of max |explicit - absorbed| / max(1, max |explicit|); -inf when all are equal, +inf
  /// when the forms see different keys or a value is not finite.
  double log2_difference;
};

struct Ladder {
  std::vector<Rung> rungs;
  double slope = 0;  ///< least squares, bits of difference per bit of precision: -1 for equal functions
  /// yes: every difference below 2^(slack - bits). no: the difference at the highest precision stays above 2^(-bits/2). Else unknown, and
  /// always when the highest precision is below 2 slack = 56 bits: too few to tell a difference from rounding.
  Truth equal = Truth::unknown;
};

/// Both forms at each precision (real:BITS for BITS in `precisions`, ascending) on the given inputs.
/// Time: about T r (2 d_c + d_v) correctly rounded operations per head and precision. Throws Error where the explicit form has no finite
/// value (eps 0 with a zero row).
Ladder climb(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::vector<int>& precisions,
             std::string_view mutant = {});

/// 24, 53, 64, 113, 256, 512, 1024.
const std::vector<int>& ladder_precisions();

}  // namespace equinorm::exact
