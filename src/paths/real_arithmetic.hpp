// real:BITS: every operation correctly rounded to BITS bits, no underflow or overflow that could bind, the true functions.
#pragma once

#include "paths/ordered_softmax.hpp"
#include "paths/ordered_sum.hpp"
#include "paths/plan.hpp"
#include "paths/scale_value.hpp"
#include "scalar/real.hpp"

namespace equinorm::paths {

class RealArithmetic : public OrderedSoftmax<RealArithmetic, scalar::Real> {
 public:
  using Value = scalar::Real;

  RealArithmetic(int bits, const Plan& plan) : bits_(bits), order_(plan.precision.order), fused_(plan.fused) {}

  Value input(double x) const { return Value::from_double(x, bits_); }
  Value table(double x) const { return Value::from_double(x, bits_); }
  Value constant(const scalar::Decimal& x) const { return Value::from_rational(x.value(), bits_); }
  Value integer(Index n) const { return Value::from_integer(n, bits_); }
  Value scale(const problem::ScaleSpec& spec) const { return scale_value(spec, bits_); }

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
  bool exceeds(const Value& a, const Value& b) const { return mpfr_nan_p(a.get()) != 0 || mpfr_greater_p(a.get(), b.get()) != 0; }

  Value sum(const Value* x, Index n) const {
    return ordered_sum<Value>(
        order_, n, [x](Index i) { return x[i]; }, [this](const Value& a, const Value& b) { return add(a, b); });
  }
  Value sum_of_squares(const Value* x, Index n) const {
    Value out;
    matmul(1, 1, n, x, n, x, 1, &out, 1, false);
    return out;
  }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_to) const {
    scalar::matmul(bits_, order_, fused_, m, n, depth, a, lda, b, ldb, out, ldo, add_to);
  }

 private:
  int bits_;
  scalar::SumOrder order_;
  bool fused_;
};

}  // namespace equinorm::paths
