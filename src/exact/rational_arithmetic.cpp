#include "exact/rational_arithmetic.hpp"

namespace equinorm::exact {
namespace {

/// Hash of every limb and the sign of an integer.
std::uint64_t mix_integer(std::uint64_t key, mpz_srcptr n) {
  std::uint64_t state = mix(key, static_cast<std::uint64_t>(mpz_sgn(n) + 1));
  for (std::size_t i = 0; i < mpz_size(n); ++i) state = mix(state, mpz_getlimbn(n, static_cast<mp_size_t>(i)));
  return state;
}

}  // namespace

RationalArithmetic::Value RationalArithmetic::hash(Function function, const Value& a) const {
  const mpq_srcptr q = a.backend().data();
  const std::uint64_t bits = mix_integer(mix_integer(function_key(seed_, function), mpq_numref(q)), mpq_denref(q));
  // 30 random bits: two different arguments meet in the same value with probability 2^-30.
  return Value(static_cast<std::int64_t>((bits & 0x3fffffff) + 1)) / 65536;
}

RationalArithmetic::Value RationalArithmetic::random(std::uint64_t stream, Index index) const {
  const std::uint64_t bits = mix(mix(function_key(seed_, Function::input), stream), static_cast<std::uint64_t>(index));
  const std::int64_t magnitude = static_cast<std::int64_t>(bits % 32) + 1;
  return Value((bits & 32) != 0 ? -magnitude : magnitude) / 8;
}

void RationalArithmetic::matmul(Index m, Index n, Index depth, const Value* a, Index lda, const Value* b, Index ldb, Value* out, Index ldo,
                                bool add_to) const {
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      const Value total = paths::ordered_sum<Value>(
          order_, depth, [&](Index k) { return Value(a[i * lda + k] * b[k * ldb + j]); },
          [](const Value& x, const Value& y) { return Value(x + y); });
      out[i * ldo + j] = add_to ? Value(out[i * ldo + j] + total) : total;
    }
  }
}

}  // namespace equinorm::exact
