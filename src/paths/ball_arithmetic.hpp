// Rigorous ball arithmetic: every output is a set that provably contains the exact value.
#pragma once

#include "paths/ordered_softmax.hpp"
#include "paths/plan.hpp"
#include "scalar/ball.hpp"

namespace equinorm::paths {

/// The plan's formats and order are ignored: they don't change the exact value. Any reference logit is as good as the maximum, so the one
/// with the largest midpoint serves, and no interval comparison can be undecided.
class BallArithmetic : public OrderedSoftmax<BallArithmetic, scalar::Ball> {
 public:
  using Value = scalar::Ball;

  explicit BallArithmetic(int bits) : bits_(bits) {}

  Value input(double x) const { return Value::from_double(x); }
  Value table(double x) const { return Value::from_double(x); }
  Value constant(const scalar::Decimal& x) const { return Value::from_rational(x.value(), bits_); }
  Value integer(Index n) const { return Value::from_integer(n); }
  Value scale(const problem::ScaleSpec& spec) const {
    if (spec.value) return constant(*spec.value);
    const Value scale = rsqrt(integer(spec.inverse_sqrt_of));
    if (!spec.yarn) return scale;
    const Value slope = Value::from_rational(spec.yarn->mscale.value() / 10, bits_);
    const Value mscale = add(mul(slope, log(constant(spec.yarn->factor))), integer(1));
    return mul(scale, mul(mscale, mscale));
  }

  Value mul(const Value& a, const Value& b) const { return scalar::mul(a, b, bits_); }
  Value add(const Value& a, const Value& b) const { return scalar::add(a, b, bits_); }
  Value sub(const Value& a, const Value& b) const { return scalar::sub(a, b, bits_); }
  Value div(const Value& a, const Value& b) const { return scalar::div(a, b, bits_); }
  Value join(const Value& a, const Value& b) const { return add(a, b); }
  Value rsqrt(const Value& a) const { return scalar::rsqrt(a, bits_); }
  Value exp(const Value& a) const { return scalar::exp(a, bits_); }
  Value log(const Value& a) const { return scalar::log(a, bits_); }
  Value tanh(const Value& a) const { return scalar::tanh(a, bits_); }
  Value sigmoid(const Value& a) const { return scalar::sigmoid(a, bits_); }
  Value store(Stored, const Value& a) const { return a; }
  bool exceeds(const Value& a, const Value& b) const { return arf_cmp(arb_midref(a.get()), arb_midref(b.get())) > 0; }

  Value sum(const Value* x, Index n) const {
    Value total;
    for (Index i = 0; i < n; ++i) total = add(total, x[i]);
    return total;
  }
  Value sum_of_squares(const Value* x, Index n) const {
    Value out;
    matmul(1, 1, n, x, n, x, 1, &out, 1, false);
    return out;
  }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_to) const {
    scalar::matmul(bits_, m, n, depth, a, lda, b, ldb, out, ldo, add_to);
  }

 private:
  int bits_;
};

}  // namespace equinorm::paths
