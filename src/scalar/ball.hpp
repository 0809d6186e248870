// Rigorous interval arithmetic: a midpoint of any precision with a radius that holds every error so far.
#pragma once

#include <arb.h>

#include <cstdint>

#include "scalar/decimal.hpp"
#include "scalar/real.hpp"
#include "scalar/truth.hpp"

namespace equinorm::scalar {

/// One Arb number: the set of reals within a radius of a midpoint. A default-constructed Ball is exactly 0. An operation outside its domain
/// gives the ball of all reals (midpoint NaN, infinite radius).
class Ball {
 public:
  Ball() { arb_init(&value_); }
  Ball(const Ball& other) : Ball() { arb_set(&value_, &other.value_); }
  Ball(Ball&& other) noexcept : Ball() { arb_swap(&value_, &other.value_); }
  Ball& operator=(const Ball& other) {
    arb_set(&value_, &other.value_);
    return *this;
  }
  Ball& operator=(Ball&& other) noexcept {
    arb_swap(&value_, &other.value_);
    return *this;
  }
  ~Ball() { arb_clear(&value_); }

  /// Exact for finite values; all reals for NaN and infinities.
  static Ball from_double(double value);
  static Ball from_integer(std::int64_t value);
  static Ball from_rational(const Rational& value, int bits);
  /// Exact for finite values; all reals for NaN and infinities.
  static Ball from_real(const Real& value);
  /// The ball around the interval [low, high], rounded outwards. Throws Error unless low <= high, both finite.
  static Ball from_interval(double low, double high, int bits);

  arb_srcptr get() const { return &value_; }
  arb_ptr writable() { return &value_; }

 private:
  arb_struct value_;
};

// Every operation below returns a ball that contains f(x) for all x in its operands, with a midpoint of `bits` bits (at least 2).

Ball neg(const Ball& a);
Ball add(const Ball& a, const Ball& b, int bits);
Ball sub(const Ball& a, const Ball& b, int bits);
Ball mul(const Ball& a, const Ball& b, int bits);
Ball div(const Ball& a, const Ball& b, int bits);
Ball sqrt(const Ball& a, int bits);
/// 1 / sqrt(a).
Ball rsqrt(const Ball& a, int bits);
Ball exp(const Ball& a, int bits);
Ball log(const Ball& a, int bits);
Ball tanh(const Ball& a, int bits);
/// 1 / (1 + exp(-a)).
Ball sigmoid(const Ball& a, int bits);

/// Finite midpoint and radius.
bool is_finite(const Ball& a);
/// Is the number a member of the ball? Never of an empty set: the ball of all reals contains everything but NaN.
bool contains(const Ball& a, const Rational& number);
bool contains(const Ball& a, const Real& number);
/// yes if every x in a is below every y in b, no if none is below any, unknown otherwise.
Truth certainly_less(const Ball& a, const Ball& b);
/// Binary64 nearest to the midpoint.
double midpoint_double(const Ball& a);

/// What a ball says about the exact number x in it, in binary64 alone.
struct Enclosure {
  double value;      ///< nearest to the midpoint
  double low;        ///< nearest to midpoint - value; 0 if value is not finite
  double radius;     ///< upper bound of |x - value|, its own rounding included; +inf if not finite
  double lo_radius;  ///< upper bound of |x - (value + low)|, value + low taken exactly; +inf if not finite
};
Enclosure enclosure(const Ball& a);

/// out(m x n) = a(m x depth) b(depth x n), or out + a b if `add`; row-major, `ld*` elements from row to row; rigorous, one arb_dot of
/// `bits` bits per element. `out` must not overlap `a` or `b`. Throws Error for negative sizes and for leading dimensions below the row
/// length.
void matmul(int bits, std::int64_t m, std::int64_t n, std::int64_t depth, const Ball* a, std::int64_t lda, const Ball* b, std::int64_t ldb,
            Ball* out, std::int64_t ldo, bool add);

/// As matmul with b transposed in memory: b(k, j) = b[j ldb + k], ldb >= depth.
void matmul_transposed(int bits, std::int64_t m, std::int64_t n, std::int64_t depth, const Ball* a, std::int64_t lda, const Ball* b,
                       std::int64_t ldb, Ball* out, std::int64_t ldo, bool add);

}  // namespace equinorm::scalar
