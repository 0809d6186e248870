// The prime field F_p as an arithmetic of the paths: identities hold or fail exactly, functions are uninterpreted.
#pragma once

#include "exact/uninterpreted.hpp"
#include "exact/uninterpreted_softmax.hpp"
#include "problem/scale.hpp"
#include "scalar/prime_field.hpp"

namespace equinorm::exact {

using paths::Stored;

class FieldArithmetic : public UninterpretedSoftmax<FieldArithmetic, scalar::FieldElement> {
 public:
  using Value = scalar::FieldElement;

  explicit FieldArithmetic(std::uint64_t seed) : seed_(seed) {}

  Value constant(const scalar::Decimal& x) const { return Value::from_rational(x.value()); }
  Value integer(Index n) const { return Value::from_integer(n); }
  Value scale(const problem::ScaleSpec& spec) const {
    if (spec.value) return constant(*spec.value);
    Value scale = rsqrt(integer(spec.inverse_sqrt_of));
    if (spec.yarn) {
      const Value tenth = div(constant(spec.yarn->mscale), integer(10));
      const Value mscale = add(mul(tenth, hash(Function::logarithm, constant(spec.yarn->factor))), integer(1));
      scale = mul(scale, mul(mscale, mscale));
    }
    return scale;
  }

  Value mul(Value a, Value b) const { return scalar::mul(a, b); }
  Value add(Value a, Value b) const { return scalar::add(a, b); }
  Value sub(Value a, Value b) const { return scalar::sub(a, b); }
  /// Throws Error when b is 0, which random points make as improbable as a false 'equal'.
  Value div(Value a, Value b) const { return scalar::mul(a, scalar::inverse(b)); }
  Value join(Value a, Value b) const { return scalar::add(a, b); }
  Value rsqrt(Value a) const { return hash(Function::rsqrt, a); }
  Value tanh(Value a) const { return hash(Function::tanh, a); }
  Value sigmoid(Value a) const { return hash(Function::sigmoid, a); }
  Value exponential(Value a) const { return hash(Function::exponential, a); }
  Value store(Stored, Value a) const { return a; }

  Value sum(const Value* x, Index n) const {
    Value total{};
    for (Index i = 0; i < n; ++i) total = scalar::add(total, x[i]);
    return total;
  }
  Value sum_of_squares(const Value* x, Index n) const { return scalar::dot(n, x, 1, x, 1); }
  void matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
              bool add_to) const {
    scalar::matmul(m, n, depth, a, lda, b, ldb, out, ldo, add_to);
  }

  /// A random element, never 0, that depends on the seed, a stream and an index only.
  Value random(std::uint64_t stream, Index index) const {
    return never_zero(mix(mix(function_key(seed_, Function::input), stream), static_cast<std::uint64_t>(index)));
  }

 private:
  static Value never_zero(std::uint64_t x) {
    const Value reduced = scalar::field_reduce(x);
    return reduced.value == 0 ? Value{1} : reduced;
  }
  Value hash(Function function, Value a) const { return never_zero(mix(function_key(seed_, function), a.value)); }

  std::uint64_t seed_;
};

}  // namespace equinorm::exact
