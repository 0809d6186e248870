// Sums of softmax weights and of weighted values, kept as pairs times a power of two: no rescaling ever rounds.
#pragma once

#include <vector>

#include "oracle/keys.hpp"

namespace equinorm::oracle {

/// One query head so far: exact sum_t exp(l_t) = 2^exponent total; exact sum_t exp(l_t) v_t = 2^exponent (hi + lo), each within radius.
struct SoftmaxState {
  double exponent = -kInfinity;  ///< -inf: nothing yet
  Enclosed total{0, 0, 0};
  std::vector<double> hi, lo;
  double radius = 0;
  double magnitude = 0;  ///< upper bound of sum exp(l_t) max|v| / 2^exponent, which bounds every |hi|

  /// Multiplies by 2^(exponent - e) and sets the exponent to e >= exponent.
  void raise(double e);
  /// Adds exp(l_t) = mantissa 2^exponents[t] and their values, t in [begin, end) of the block.
  void add_tokens(const BoundedBlock& mantissa, const double* exponents, Index begin, Index end, const Values& values);
  void add(const SoftmaxState& other);
  /// Adds exp(logit) to the total alone.
  void add_sink(const Enclosed& logit);
};

}  // namespace equinorm::oracle
