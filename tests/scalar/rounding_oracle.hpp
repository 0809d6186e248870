// Slow rounding through MPFR, for the tests of formats and emulated arithmetic: the exact result first, then one rounding by hand.
#pragma once

#include <mpfr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "scalar/format.hpp"
#include "scalar/simd.hpp"

namespace equinorm::scalar::oracle {

/// Wide enough for a b + c of any doubles without rounding.
class Number {
 public:
  Number() { mpfr_init2(value_, 4400); }
  explicit Number(double x) : Number() { mpfr_set_d(value_, x, MPFR_RNDN); }
  ~Number() { mpfr_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  mpfr_ptr get() { return value_; }

 private:
  mpfr_t value_;
};

/// x (destroyed) rounded to nearest-even into the format.
inline double round(Format format, Number& x, bool ftz) {
  mpfr_ptr v = x.get();
  if (mpfr_nan_p(v) != 0 || mpfr_inf_p(v) != 0 || mpfr_zero_p(v) != 0) return mpfr_get_d(v, MPFR_RNDN);
  const FormatLimits range = limits(format);
  const long last_bit = std::max<long>(mpfr_get_exp(v) - format.precision, range.min_exponent - (format.precision - 1));
  mpfr_mul_2si(v, v, -last_bit, MPFR_RNDN);
  mpfr_rint(v, v, MPFR_RNDN);
  mpfr_mul_2si(v, v, last_bit, MPFR_RNDN);
  if (mpfr_cmpabs(v, Number(range.largest).get()) > 0) return mpfr_signbit(v) != 0 ? -HUGE_VAL : HUGE_VAL;
  const double r = mpfr_get_d(v, MPFR_RNDN);
  return ftz && std::fabs(r) < range.smallest_normal ? std::copysign(0.0, r) : r;
}

inline double round(Format format, double x, bool ftz = false) {
  Number v(x);
  return round(format, v, ftz);
}
inline double add(Format format, double a, double b, bool ftz = false) {
  Number x(a), y(b);
  mpfr_add(x.get(), x.get(), y.get(), MPFR_RNDN);
  return round(format, x, ftz);
}
inline double multiply(Format format, double a, double b, bool ftz = false) {
  Number x(a), y(b);
  mpfr_mul(x.get(), x.get(), y.get(), MPFR_RNDN);
  return round(format, x, ftz);
}
inline double fma(Format format, double a, double b, double c, bool ftz = false) {
  Number x(a), y(b), z(c);
  mpfr_fma(x.get(), x.get(), y.get(), z.get(), MPFR_RNDN);
  return round(format, x, ftz);
}

/// The SIMD levels of this processor.
inline std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> all;
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (level <= detected_simd_level()) all.push_back(level);
  }
  return all;
}

/// Same number, same sign of zero, or both NaN.
inline bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Numbers that hit the corners: random magnitudes, few-bit significands, subnormals, the overflow edge, zeros, ties, infinities and NaN.
class Corners {
 public:
  explicit Corners(std::uint64_t seed) : random_(seed) {}

  std::uint64_t bits() { return random_(); }
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  double sign() { return (random_() & 1) != 0 ? 1.0 : -1.0; }

  /// A value of the format. `specials` allows infinity and NaN.
  double value(Format format, bool specials) {
    const FormatLimits range = limits(format);
    const int span = range.max_exponent - range.min_exponent;
    switch (below(specials ? 16 : 14)) {
      case 0:
        return sign() * 0.0;
      case 1:
        return sign() * std::ldexp(static_cast<double>(below(16)), range.min_exponent - format.precision + 1);
      case 2:
        return subnormal(format);
      case 3:
        return sign() * std::ldexp(significand(format), range.max_exponent - static_cast<int>(below(3)));
      case 4:
        return sign() * range.largest;
      case 5:
        return sign() *
               std::ldexp(1.0 + static_cast<double>(below(4)) * std::ldexp(1.0, 1 - format.precision), static_cast<int>(below(6)) - 3);
      case 6:
        return sign() * std::ldexp(2.0 - std::ldexp(1.0, 1 - format.precision), static_cast<int>(below(6)) - 3);
      case 7:
        return sign() * std::ldexp(significand(format), range.min_exponent + static_cast<int>(below(span + 1)));
      case 8:
        return sign() * std::ldexp(significand(format), range.min_exponent / 2 + static_cast<int>(below(5)));
      case 9:
        return sign() * std::ldexp(1.0, static_cast<int>(below(2 * format.precision)) - format.precision);
      case 14:
        return sign() * HUGE_VAL;
      case 15:
        return std::numeric_limits<double>::quiet_NaN();
      default:
        return sign() * std::ldexp(significand(format), static_cast<int>(below(8)) - 4);
    }
  }

  double subnormal(Format format) {
    return sign() * std::ldexp(static_cast<double>(below(std::int64_t{1} << (format.precision - 1))),
                               limits(format).min_exponent - format.precision + 1);
  }

  /// 1 <= x < 2 with the format's precision.
  double significand(Format format) {
    return 1.0 + std::ldexp(static_cast<double>(below(std::int64_t{1} << (format.precision - 1))), 1 - format.precision);
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace equinorm::scalar::oracle
