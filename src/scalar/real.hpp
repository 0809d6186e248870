// Binary floating point of any precision, the precision an argument of every operation (the scalar behind real:BITS).
#pragma once

#include <gmp.h>
#include <mpfr.h>

#include <cstdint>
#include <string>

#include "scalar/decimal.hpp"
#include "scalar/sum_order.hpp"

namespace equinorm::scalar {

/// One MPFR number. Its precision belongs to the number; copies keep it. A default-constructed Real owns no memory and reads as +0.
/// The exponent range is MPFR's default, +-2^30. Values may be shared between threads like any other value type.
class Real {
 public:
  Real() noexcept = default;
  /// +0 with room for `bits` bits. Throws Error unless 1 <= bits <= 2^30.
  explicit Real(int bits) { reset(bits); }
  Real(const Real& other);
  Real(Real&& other) noexcept : value_(other.value_) { other.value_ = kEmpty; }
  Real& operator=(const Real& other);
  Real& operator=(Real&& other) noexcept;
  ~Real();

  static Real from_double(double value, int bits);
  static Real from_integer(std::int64_t value, int bits);
  static Real from_rational(const Rational& value, int bits);

  /// 0 for a default-constructed Real.
  int bits() const { return owns() ? static_cast<int>(mpfr_get_prec(&value_)) : 0; }
  mpfr_srcptr get() const { return owns() ? &value_ : zero(); }
  /// Makes this +0 of `bits` bits, reusing its memory when the precision is unchanged, and returns it for writing.
  mpfr_ptr reset(int bits);
  /// For updates in place; only after reset() or a constructor that gave it memory.
  mpfr_ptr writable() { return &value_; }

 private:
  static constexpr __mpfr_struct kEmpty{};
  static mpfr_srcptr zero();
  bool owns() const { return value_._mpfr_d != nullptr; }

  __mpfr_struct value_ = kEmpty;
};

// Every operation below, and from_*, returns the exact result rounded once to `bits` bits, to nearest, ties to even. Throws Error unless
// 1 <= bits <= 2^30. NaN and infinities follow IEEE 754.

Real round(const Real& a, int bits);
Real neg(const Real& a, int bits);
Real add(const Real& a, const Real& b, int bits);
Real sub(const Real& a, const Real& b, int bits);
Real mul(const Real& a, const Real& b, int bits);
Real div(const Real& a, const Real& b, int bits);
/// a b + c.
Real fma(const Real& a, const Real& b, const Real& c, int bits);
Real sqrt(const Real& a, int bits);
/// 1 / sqrt(a); +inf at +0 and -0.
Real rsqrt(const Real& a, int bits);
Real exp(const Real& a, int bits);
Real log(const Real& a, int bits);
Real tanh(const Real& a, int bits);
/// 1 / (1 + exp(-a)).
Real sigmoid(const Real& a, int bits);

/// -1, 0 or 1. Throws Error if one of them is NaN.
int compare(const Real& a, const Real& b);
bool is_finite(const Real& a);
/// Exact value. Throws Error if `a` is not finite.
Rational to_rational(const Real& a);
/// Nearest binary64, ties to even, subnormals and overflow included.
double to_double(const Real& a);
double to_double(const Rational& a);
/// Scientific notation with `digits` significant decimal digits, rounded to nearest; "inf", "-inf" or "nan". Throws Error unless digits
/// >= 1.
std::string to_string(const Real& a, int digits);

/// out(m x n) = a(m x depth) b(depth x n), or out + a b if `add`; row-major, `ld*` elements from row to row.
///
/// - sequential (and any): one chain over k, starting from out if `add`, else from the first product. fused: each step is
///   fma(a_k, b_k, chain), one rounding; otherwise the product is rounded, then the sum.
/// - blocked: every block is such a chain from its own first product.
/// - pairwise: every product is rounded, so `fused` has no effect.
/// The last two end with out = round(out + total) if `add`. An empty sum is +0. All roundings are to `bits` bits, as is `out` on return.
/// Allocates for the elements of `out` and a few temporaries, not per term. `out` must not overlap `a` or `b`.
/// Throws Error for tensor_core order, negative sizes, leading dimensions below the row length, blocks below 1 and bad `bits`.
void matmul(int bits, const SumOrder& order, bool fused, std::int64_t m, std::int64_t n, std::int64_t depth, const Real* a,
            std::int64_t lda, const Real* b, std::int64_t ldb, Real* out, std::int64_t ldo, bool add);

/// As matmul with b transposed in memory: b(k, j) = b[j ldb + k], ldb >= depth.
void matmul_transposed(int bits, const SumOrder& order, bool fused, std::int64_t m, std::int64_t n, std::int64_t depth, const Real* a,
                       std::int64_t lda, const Real* b, std::int64_t ldb, Real* out, std::int64_t ldo, bool add);

/// sum_k x[k x_stride] y[k y_stride] for k < n, as the one element of a 1 x 1 matmul. Throws as matmul.
Real dot(int bits, const SumOrder& order, bool fused, std::int64_t n, const Real* x, std::int64_t x_stride, const Real* y,
         std::int64_t y_stride);

/// sum_k x[k stride] for k < n: the dot with ones. Throws as matmul.
Real sum(int bits, const SumOrder& order, bool fused, std::int64_t n, const Real* x, std::int64_t stride);

}  // namespace equinorm::scalar
