// The precision ladder: with true functions, the two forms differ by rounding alone, so their difference must fall with the precision.
#pragma once

#include <vector>

#include "problem/problem.hpp"
#include "scalar/truth.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::exact {

struct Rung {
  int bits;
  double log2_difference;  ///< log2 of max |explicit - absorbed| / max |explicit| over logits and outputs; -inf when all are equal
};

struct Ladder {
  std::vector<Rung> rungs;
  double slope = 0;  ///< least squares, bits of difference per bit of precision: -1 for equal functions
  /// yes: every difference below 2^(slack - bits). no: the difference at the highest precision stays above 2^(-bits/2). Else unknown.
  Truth equal = Truth::unknown;
};

/// Both forms at each precision (real:BITS for BITS in `precisions`, ascending) on the given inputs.
/// Time: about T r (2 d_c + d_v) correctly rounded operations per head and precision.
Ladder climb(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::vector<int>& precisions, std::string_view mutant = {});

/// 24, 53, 64, 113, 256, 512, 1024.
const std::vector<int>& ladder_precisions();

}  // namespace equinorm::exact
