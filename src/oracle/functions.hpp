// exp, expm1, tanh, sigmoid, 1/sqrt and log of enclosed numbers. Everything is computed in Bounded arithmetic, which carries its own
// rounding errors; what each function adds is its truncation error, derived beside it. Nothing trusts a library function: where one gives a
// starting value, the remainder is measured afterwards.
#pragma once

#include "oracle/double_double.hpp"

namespace equinorm::oracle {

/// x = 2^exponent (1 + fraction), the exponent an integer.
template <class L>
struct Exponential {
  Bounded<L> fraction;  ///< within about (-0.3, 0.42)
  typename L::V exponent;
};

// ln 2 = kLn2A + kLn2B + kLn2C + kLn2D to 2^-164; A and B have 22 bits, so n A and n B are exact for |n| <= 2^30.
inline constexpr double kLn2A = 0x1.62e43p-1, kLn2B = -0x1.05c61p-29, kLn2C = -0x1.950d871319ff0p-54, kLn2D = -0x1.a12a17e1979b3p-109;
inline constexpr double kLn2Error = 0x1p-160;

/// n ln 2 for an integer |n| <= 2^30. Proof: ln2_parts.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> multiple_of_ln2(typename L::V n) {
  const Bounded<L> tail = mul<L>(Bounded<L>{L::set(kLn2C), L::set(kLn2D), L::set(kLn2Error)}, n);
  return add<L>(exact<L>(n * L::set(kLn2A)), add<L>(exact<L>(n * L::set(kLn2B)), tail));
}

/// exp(t) - 1 for |t.hi| <= 0.36 / 512, t.radius ignored: t (1 + t/2 + ... + t^8/9!). What follows t^9/9! is at most 2 |t|^10/10! <= 2^-115
/// |t|; kept as 2^-114 |t|. Terms from t^6/6! on are computed in binary64 from t.hi: their relative error is below 2^-48 (at most 8
/// roundings of 2^-53 and |t - t.hi| <= 2^-53 |t| five times over). Proof: expm1_series, series_coefficients, series_tail.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> expm1_small(const Bounded<L>& t) {
  using V = typename L::V;
  const V x = t.hi;
  // t^5/720 (1 + t/7 + t^2/56 + t^3/504): relative to t.
  const V inner = 1.0 + x * (1.0 / 7.0 + x * (1.0 / 56.0 + x * (1.0 / 504.0)));
  const V tail = inner * (1.0 / 720.0);
  Bounded<L> sum{tail, L::set(0.0), L::abs(tail) * 0x1p-48};
  const Bounded<L> pure{t.hi, t.lo, L::set(0.0)};
  sum = add<L>(mul<L>(sum, pure), Bounded<L>{L::set(0x1.1111111111111p-7), L::set(0x1.1111111111111p-63), L::set(0x1p-118)});
  sum = add<L>(mul<L>(sum, pure), Bounded<L>{L::set(0x1.5555555555555p-5), L::set(0x1.5555555555555p-59), L::set(0x1p-112)});
  sum = add<L>(mul<L>(sum, pure), Bounded<L>{L::set(0x1.5555555555555p-3), L::set(0x1.5555555555555p-57), L::set(0x1p-110)});
  sum = add<L>(mul<L>(sum, pure), exact<L>(L::set(0.5)));
  sum = add<L>(mul<L>(sum, pure), exact<L>(L::set(1.0)));
  Bounded<L> result = mul<L>(sum, pure);
  result.radius = (result.radius + L::abs(x) * 0x1p-114) * kRoundUp;
  return result;
}

/// exp(x) as 2^n (1 + p): r = x - n ln 2, p from r/512 by nine times p <- 2p + p^2. The radius rx of x multiplies exp by at most
/// e^rx <= 1 + 2 rx (rx <= 1). Infinite radius where |x| > 7e8 or rx > 1. Proof: exponential_doubling, exponential_radius.
template <class L>
EQUINORM_ORACLE_INLINE Exponential<L> exponential(const Bounded<L>& x) {
  using V = typename L::V;
  const V magic = L::set(0x1.8p52);
  const V n = (x.hi * 0x1.71547652b82fep+0 + magic) - magic;
  const Bounded<L> pure{x.hi, x.lo, L::set(0.0)};
  // x - n A first: both are near each other, and the sum of pairs is accurate relative to its own result.
  Bounded<L> r = sub<L>(pure, exact<L>(n * L::set(kLn2A)));
  r = sub<L>(r, exact<L>(n * L::set(kLn2B)));
  r = sub<L>(r, mul<L>(Bounded<L>{L::set(kLn2C), L::set(kLn2D), L::set(kLn2Error)}, n));
  const V reduction_error = r.radius;
  Bounded<L> p = expm1_small<L>(scale<L>({r.hi, r.lo, L::set(0.0)}, L::set(0x1p-9)));
  for (int doubling = 0; doubling < 9; ++doubling) p = add<L>(scale<L>(p, L::set(2.0)), mul<L>(p, p));
  // 1 + p <= 2 |..|: |d exp| <= (1 + p) 2 (rx + reduction error), and 1 + p <= 1.5.
  const V relative = (x.radius + reduction_error) * 2.0 * kRoundUp;
  const V radius = (p.radius * (1.0 + relative) + (1.0 + L::abs(p.hi)) * kRoundUp * relative) * kRoundUp;
  const V unbounded = L::set(kInfinity);
  V safe = relative <= L::set(2.0) ? radius : unbounded;
  safe = L::abs(r.hi) <= L::set(0.36) ? safe : unbounded;
  safe = L::abs(n) <= L::set(0x1p30) ? safe : unbounded;
  return {{p.hi, p.lo, safe}, n};
}

/// 2^n for integer n, by multiplying halves; exact for -1022 <= n <= 1023, 0 below -1022 and infinite above 1023.
EQUINORM_ORACLE_INLINE double power_of_two(double n) {
  if (!(n >= -1022.0)) return 0.0;
  if (n > 1023.0) return kInfinity;
  return __builtin_bit_cast(double, static_cast<long long>(n + 1023.0) << 52);
}

/// exp(x) - 1 for x <= 0, accurate relative to the result while n = 0 (|x| < 0.34), and else relative to 1. Below 2^-1022, exp counts as
/// its upper bound's radius. Proof: exp_cut_off.
EQUINORM_ORACLE_INLINE Enclosed expm1_negative(const Enclosed& x) {
  const Enclosed minus_one{-1.0, 0.0, 0.0};
  if (x.hi < -700.0 && x.radius < 1.0) return {-1.0, 0.0, 0x1p-1000};
  const Exponential<One> e = exponential<One>(x);
  if (e.exponent == 0.0) return e.fraction;
  return add<One>(scale<One>(add<One>(e.fraction, {1.0, 0.0, 0.0}), power_of_two(e.exponent)), minus_one);
}

/// tanh x = -m / (2 + m), m = exp(-2|x|) - 1; with the sign of x. The derivative is at most 1, so that the radius of x adds itself.
/// Proof: tanh_of_expm1.
EQUINORM_ORACLE_INLINE Enclosed tanh(const Enclosed& x) {
  const double sign = x.hi < 0.0 ? -1.0 : 1.0;
  const Enclosed m = expm1_negative(scale<One>({x.hi, x.lo, 0.0}, -2.0 * sign));
  Enclosed result = div<One>(neg<One>(m), add<One>({2.0, 0.0, 0.0}, m));
  result = {sign * result.hi, sign * result.lo, (result.radius + x.radius) * kRoundUp};
  return result;
}

/// 1 / (1 + exp(-x)) = (1 + m) / (2 + m) for x < 0 and 1 / (2 + m) else, m = exp(-|x|) - 1. The derivative is at most 1/4.
/// Proof: sigmoid_of_expm1.
EQUINORM_ORACLE_INLINE Enclosed sigmoid(const Enclosed& x) {
  const bool negative = x.hi < 0.0;
  const Enclosed m = expm1_negative(scale<One>({x.hi, x.lo, 0.0}, negative ? 1.0 : -1.0));
  const Enclosed denominator = add<One>({2.0, 0.0, 0.0}, m), one{1.0, 0.0, 0.0};
  Enclosed result = div<One>(negative ? add<One>(one, m) : one, denominator);
  result.radius = (result.radius + 0.25 * x.radius) * kRoundUp;
  return result;
}

/// s^(-1/2) = y (1 - e)^(-1/2) with y = fl(1/sqrt(s.hi)) and e = 1 - s y^2 measured as a Bounded. (1 - e)^(-1/2) = 1 + e/2 + 3e^2/8 + R,
/// |R| <= (5/16) |e|^3 / (1 - |e|)^(7/2) <= |e|^3 for |e| <= 2^-10. Infinite radius where |e| may be larger (s not certainly positive).
/// Proof: inverse_sqrt_series.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> inverse_sqrt(const Bounded<L>& s) {
  using V = typename L::V;
  const V y = 1.0 / L::sqrt(s.hi);
  const Bounded<L> e = sub<L>(exact<L>(L::set(1.0)), mul<L>(mul<L>(s, y), y));
  const V size = (L::abs(e.hi) + L::abs(e.lo) + e.radius) * kRoundUp;
  Bounded<L> factor = mul<L>(mul<L>(e, L::set(0.375)), e);
  factor = add<L>(factor, scale<L>(e, L::set(0.5)));
  factor.radius = (factor.radius + size * size * size) * kRoundUp;
  Bounded<L> result = add<L>(exact<L>(y), mul<L>(factor, y));
  const V unbounded = L::set(kInfinity);
  result.radius = size <= L::set(0x1p-10) ? result.radius : unbounded;
  return result;
}

/// ln(1 + z) = z - z^2/2 + z^3/3 - ... for a small measured z; what follows z^4/4 is at most |z|^5 (|z| <= 2^-10). Proof:
/// log1p_series.
EQUINORM_ORACLE_INLINE Enclosed log1p_small(const Enclosed& z) {
  const double size = (__builtin_fabs(z.hi) + __builtin_fabs(z.lo) + z.radius) * kRoundUp;
  const Enclosed third{0x1.5555555555555p-2, 0x1.5555555555555p-56, 0x1p-109};
  Enclosed sum = add<One>(neg<One>(third), scale<One>(z, 0.25));  // -(1/3 - z/4)
  sum = add<One>({0.5, 0.0, 0.0}, mul<One>(sum, z));              // 1/2 - z/3 + z^2/4
  sum = sub<One>({1.0, 0.0, 0.0}, mul<One>(sum, z));              // 1 - z/2 + z^2/3 - z^3/4
  Enclosed result = mul<One>(sum, z);
  result.radius = size <= 0x1p-10 ? (result.radius + size * size * size * size * size) * kRoundUp : kInfinity;
  return result;
}

/// ln x = y + ln(1 + z), z = x exp(-y) - 1, for any y: `start` should be near ln x. Infinite radius where it is not.
EQUINORM_ORACLE_INLINE Enclosed log_near(const Enclosed& x, double start) {
  const Exponential<One> inverse = exponential<One>({-start, 0.0, 0.0});
  const Enclosed power = scale<One>(add<One>(inverse.fraction, {1.0, 0.0, 0.0}), power_of_two(inverse.exponent));
  const Enclosed z = sub<One>(mul<One>(x, power), {1.0, 0.0, 0.0});
  return add<One>({start, 0.0, 0.0}, log1p_small(z));
}

}  // namespace equinorm::oracle
