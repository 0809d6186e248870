#include "scalar/ball.hpp"

#include <flint/fmpq.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "scalar/error.hpp"

namespace equinorm::scalar {
namespace {

// arb_dot walks over an array of Balls as over an array of arb_struct.
static_assert(sizeof(Ball) == sizeof(arb_struct) && std::is_standard_layout_v<Ball>);

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr slong kBoundBits = 64;

/// Frees FLINT's per-thread caches when its thread ends; FLINT itself never does.
struct CacheOwner {
  CacheOwner() = default;
  CacheOwner(const CacheOwner&) = delete;
  CacheOwner& operator=(const CacheOwner&) = delete;
  ~CacheOwner() { flint_cleanup(); }
};

void own_caches() {
  thread_local CacheOwner owner;
  static_cast<void>(owner);
}

struct Float {
  Float() { arf_init(value); }
  Float(const Float&) = delete;
  Float& operator=(const Float&) = delete;
  ~Float() { arf_clear(value); }
  arf_t value;
};

struct Fraction {
  explicit Fraction(const Rational& rational) {
    fmpq_init(value);
    fmpq_set_mpq(value, rational.backend().data());
  }
  Fraction(const Fraction&) = delete;
  Fraction& operator=(const Fraction&) = delete;
  ~Fraction() { fmpq_clear(value); }
  fmpq_t value;
};

Ball everything() {
  Ball result;
  arb_indeterminate(result.writable());
  return result;
}

/// |distance| + radius of a, rounded up to a double.
double bound(arf_srcptr distance, const Ball& a) {
  Float magnitude;
  arf_abs(magnitude.value, distance);
  Float radius;
  arf_set_mag(radius.value, arb_radref(a.get()));
  arf_add(magnitude.value, magnitude.value, radius.value, kBoundBits, ARF_RND_CEIL);
  return arf_get_d(magnitude.value, ARF_RND_CEIL);
}

/// b(k, j) = data[k * along + j * across].
struct RightOperand {
  const Ball* data;
  std::int64_t across;
  std::int64_t along;
};

void multiply(int bits, std::int64_t m, std::int64_t n, std::int64_t depth, const Ball* a, std::int64_t lda, RightOperand b, Ball* out,
              std::int64_t ldo, bool add) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      Ball& target = out[i * ldo + j];
      const arb_srcptr row = depth > 0 ? a[i * lda].get() : nullptr;
      const arb_srcptr column = depth > 0 ? b.data[j * b.across].get() : nullptr;
      arb_dot(target.writable(), add ? target.get() : nullptr, 0, row, 1, column, b.along, depth, bits);
    }
  }
}

void check_shape(std::int64_t m, std::int64_t n, std::int64_t depth, bool leading_dimensions_suffice) {
  if (m < 0 || n < 0 || depth < 0) throw Error("product of ball matrices: negative size");
  if (!leading_dimensions_suffice) throw Error("product of ball matrices: leading dimension below the length of a row");
}

/// The monotone sigmoid at one end of a.
Ball sigmoid_at(const Ball& a, bool upper, int bits) {
  Ball end;
  if (upper) {
    arb_get_ubound_arf(arb_midref(end.writable()), a.get(), bits);
  } else {
    arb_get_lbound_arf(arb_midref(end.writable()), a.get(), bits);
  }
  return sigmoid(end, bits);
}

}  // namespace

Ball Ball::from_double(double value) {
  if (!std::isfinite(value)) return everything();
  Ball result;
  arf_set_d(arb_midref(&result.value_), value);
  return result;
}

Ball Ball::from_integer(std::int64_t value) {
  Ball result;
  arb_set_si(&result.value_, value);
  return result;
}

Ball Ball::from_rational(const Rational& value, int bits) {
  Ball result;
  const Fraction fraction(value);
  arb_set_fmpq(&result.value_, fraction.value, bits);
  return result;
}

Ball Ball::from_real(const Real& value) {
  if (!scalar::is_finite(value)) return everything();
  Ball result;
  arf_set_mpfr(arb_midref(&result.value_), value.get());
  return result;
}

Ball Ball::from_interval(double low, double high, int bits) {
  if (!(std::isfinite(low) && std::isfinite(high) && low <= high)) {
    throw Error("ball of an interval: [" + std::to_string(low) + ", " + std::to_string(high) + "] is not a finite interval");
  }
  Float low_end;
  Float high_end;
  arf_set_d(low_end.value, low);
  arf_set_d(high_end.value, high);
  Ball result;
  arb_set_interval_arf(&result.value_, low_end.value, high_end.value, bits);
  return result;
}

Ball neg(const Ball& a) {
  Ball result;
  arb_neg(result.writable(), a.get());
  return result;
}

Ball add(const Ball& a, const Ball& b, int bits) {
  Ball result;
  arb_add(result.writable(), a.get(), b.get(), bits);
  return result;
}

Ball sub(const Ball& a, const Ball& b, int bits) {
  Ball result;
  arb_sub(result.writable(), a.get(), b.get(), bits);
  return result;
}

Ball mul(const Ball& a, const Ball& b, int bits) {
  Ball result;
  arb_mul(result.writable(), a.get(), b.get(), bits);
  return result;
}

Ball div(const Ball& a, const Ball& b, int bits) {
  Ball result;
  arb_div(result.writable(), a.get(), b.get(), bits);
  return result;
}

Ball sqrt(const Ball& a, int bits) {
  Ball result;
  arb_sqrt(result.writable(), a.get(), bits);
  return result;
}

Ball rsqrt(const Ball& a, int bits) {
  Ball result;
  arb_rsqrt(result.writable(), a.get(), bits);
  return result;
}

Ball exp(const Ball& a, int bits) {
  own_caches();
  Ball result;
  arb_exp(result.writable(), a.get(), bits);
  return result;
}

Ball log(const Ball& a, int bits) {
  own_caches();
  Ball result;
  arb_log(result.writable(), a.get(), bits);
  return result;
}

Ball tanh(const Ball& a, int bits) {
  own_caches();
  Ball result;
  arb_tanh(result.writable(), a.get(), bits);
  return result;
}

Ball sigmoid(const Ball& a, int bits) {
  own_caches();
  Ball result = exp(neg(a), bits);
  arb_add_ui(result.writable(), result.get(), 1, bits);
  arb_inv(result.writable(), result.get(), bits);
  if (is_finite(result) || !is_finite(a) || arb_is_exact(a.get())) return result;
  // A wide ball of exp(-a) may reach -1 although exp does not.
  arb_union(result.writable(), sigmoid_at(a, false, bits).get(), sigmoid_at(a, true, bits).get(), bits);
  return result;
}

bool is_finite(const Ball& a) { return arb_is_finite(a.get()) != 0; }

bool contains(const Ball& a, const Rational& number) {
  const Fraction fraction(number);
  return arb_contains_fmpq(a.get(), fraction.value) != 0;
}

bool contains(const Ball& a, const Real& number) {
  Float value;
  arf_set_mpfr(value.value, number.get());
  return arf_is_nan(value.value) == 0 && arb_contains_arf(a.get(), value.value) != 0;
}

Truth certainly_less(const Ball& a, const Ball& b) {
  if (arb_lt(a.get(), b.get())) return Truth::yes;
  return arb_ge(a.get(), b.get()) ? Truth::no : Truth::unknown;
}

double midpoint_double(const Ball& a) { return arf_get_d(arb_midref(a.get()), ARF_RND_NEAR); }

Enclosure enclosure(const Ball& a) {
  const double value = midpoint_double(a);
  if (!is_finite(a) || !std::isfinite(value)) return {value, 0.0, kInfinity, kInfinity};
  Float part;
  arf_set_d(part.value, value);
  Float rest;
  arf_sub(rest.value, arb_midref(a.get()), part.value, ARF_PREC_EXACT, ARF_RND_NEAR);
  const double low = arf_get_d(rest.value, ARF_RND_NEAR);
  const double radius = bound(rest.value, a);
  arf_set_d(part.value, low);
  arf_sub(rest.value, rest.value, part.value, ARF_PREC_EXACT, ARF_RND_NEAR);
  return {value, low, radius, bound(rest.value, a)};
}

void matmul(int bits, std::int64_t m, std::int64_t n, std::int64_t depth, const Ball* a, std::int64_t lda, const Ball* b, std::int64_t ldb,
            Ball* out, std::int64_t ldo, bool add) {
  check_shape(m, n, depth, lda >= depth && ldb >= n && ldo >= n);
  multiply(bits, m, n, depth, a, lda, {b, 1, ldb}, out, ldo, add);
}

void matmul_transposed(int bits, std::int64_t m, std::int64_t n, std::int64_t depth, const Ball* a, std::int64_t lda, const Ball* b,
                       std::int64_t ldb, Ball* out, std::int64_t ldo, bool add) {
  check_shape(m, n, depth, lda >= depth && ldb >= depth && ldo >= n);
  multiply(bits, m, n, depth, a, lda, {b, ldb, 1}, out, ldo, add);
}

}  // namespace equinorm::scalar
