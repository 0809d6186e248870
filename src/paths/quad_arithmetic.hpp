// The wide reference arithmetic at model size: binary128 scalars, matrix products through vectorised pairs of binary64.
#pragma once

#include "paths/ordered_softmax.hpp"
#include "paths/plan.hpp"
#include "scalar/quad.hpp"

namespace equinorm::paths {

/// Relative errors near 2^-100: a reference to measure narrower formats against, not an enclosure. The plan's formats and order are
/// ignored.
class QuadArithmetic : public OrderedSoftmax<QuadArithmetic, scalar::Quad> {
 public:
  using Value = scalar::Quad;

  Value input(double x) const { return x; }
  Value table(double x) const { return x; }
  Value constant(const scalar::Decimal& x) const;
  Value integer(Index n) const { return n; }
  Value scale(const problem::ScaleSpec& spec) const;

  Value mul(const Value& a, const Value& b) const { return a * b; }
  Value add(const Value& a, const Value& b) const { return a + b; }
  Value sub(const Value& a, const Value& b) const { return a - b; }
  Value div(const Value& a, const Value& b) const { return a / b; }
  Value join(const Value& a, const Value& b) const { return a + b; }
  Value rsqrt(const Value& a) const { return 1 / boost::multiprecision::sqrt(a); }
  Value exp(const Value& a) const { return boost::multiprecision::exp(a); }
  Value log(const Value& a) const { return boost::multiprecision::log(a); }
  Value tanh(const Value& a) const { return boost::multiprecision::tanh(a); }
  Value sigmoid(const Value& a) const { return 1 / (1 + exp(-a)); }
  Value store(Stored, const Value& a) const { return a; }
  bool exceeds(const Value& a, const Value& b) const { return !(a <= b); }

  Value sum(const Value* x, Index n) const {
    Value total = 0;
    for (Index i = 0; i < n; ++i) total += x[i];
    return total;
  }
  Value sum_of_squares(const Value* x, Index n) const {
    Value total = 0;
    for (Index i = 0; i < n; ++i) total += x[i] * x[i];
    return total;
  }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_to) const;
};

}  // namespace equinorm::paths
