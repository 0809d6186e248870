// Exact rationals as an arithmetic of the paths, for small dims.
#pragma once

#include "exact/uninterpreted.hpp"
#include "exact/uninterpreted_softmax.hpp"
#include "paths/ordered_sum.hpp"
#include "problem/scale.hpp"

namespace equinorm::exact {

using paths::Stored;

/// Functions are uninterpreted: a hash of the exact argument, returned as a small positive rational so that numbers stay short. Reductions
/// follow the plan's order, since here, too, it must not matter.
class RationalArithmetic : public UninterpretedSoftmax<RationalArithmetic, scalar::Rational> {
 public:
  using Value = scalar::Rational;

  RationalArithmetic(std::uint64_t seed, const scalar::SumOrder& order) : seed_(seed), order_(order) {}

  Value constant(const scalar::Decimal& x) const { return x.value(); }
  Value integer(Index n) const { return n; }
  Value scale(const problem::ScaleSpec& spec) const {
    if (spec.value) return spec.value->value();
    Value scale = rsqrt(integer(spec.inverse_sqrt_of));
    if (spec.yarn) {
      const Value mscale = spec.yarn->mscale.value() / 10 * hash(Function::logarithm, spec.yarn->factor.value()) + 1;
      scale *= mscale * mscale;
    }
    return scale;
  }

  Value mul(const Value& a, const Value& b) const { return a * b; }
  Value add(const Value& a, const Value& b) const { return a + b; }
  Value sub(const Value& a, const Value& b) const { return a - b; }
  Value div(const Value& a, const Value& b) const { return a / b; }
  Value join(const Value& a, const Value& b) const { return a + b; }
  Value rsqrt(const Value& a) const { return hash(Function::rsqrt, a); }
  Value tanh(const Value& a) const { return hash(Function::tanh, a); }
  Value sigmoid(const Value& a) const { return hash(Function::sigmoid, a); }
  Value exponential(const Value& a) const { return hash(Function::exponential, a); }
  Value store(Stored, const Value& a) const { return a; }

  Value sum(const Value* x, Index n) const {
    return paths::ordered_sum<Value>(
        order_, n, [x](Index i) { return x[i]; }, [](const Value& a, const Value& b) { return Value(a + b); });
  }
  Value sum_of_squares(const Value* x, Index n) const {
    return paths::ordered_sum<Value>(
        order_, n, [x](Index i) { return Value(x[i] * x[i]); }, [](const Value& a, const Value& b) { return Value(a + b); });
  }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_to) const;

  /// A random rational j / 8 with 1 <= |j| <= 32.
  Value random(std::uint64_t stream, Index index) const;

 private:
  Value hash(Function function, const Value& a) const;

  std::uint64_t seed_;
  scalar::SumOrder order_;
};

}  // namespace equinorm::exact
