// Pairs of binary64 numbers (double-double) that carry a rigorous radius. u = 2^-53 throughout; rounding is to nearest-even.
//
// The pair operations are those of Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of double-word
// arithmetic" (ACM TOMS 44, 2017): sum (AccurateDWPlusDW) 3u^2/(1 - 4u), product (DWTimesDW3) 5u^2, product by a number (DWTimesFP3) 2u^2,
// each relative to the exact result. The radius adds 8u^2 |hi| = 2^-103 |hi|, which is machine-checked by itself (proofs/PairSum.v,
// PairProduct.v), cancellation included. Error terms that underflow cost less than 8 * 2^-1075 an operation; the radius adds 2^-1060.
//
// Radii are computed in binary64, rounded to nearest: positive terms, at most 8 roundings and one |x| <= |hi| (1 + u), together below the
// factor (1 + u)^9 < 1 + 2^-49; the last step multiplies by 1 + 2^-48. Overflow gives an infinite or NaN radius, never a small one.
#pragma once

#include "oracle/lanes.hpp"

namespace equinorm::oracle {

/// The exact number x of each lane satisfies |x - (hi + lo)| <= radius; |lo| <= u |hi|.
template <class L>
struct Bounded {
  typename L::V hi, lo, radius;
};

/// One enclosed number.
using Enclosed = Bounded<One>;

inline constexpr double kPairError = 0x1p-103;
inline constexpr double kTiny = 0x1p-1060;
inline constexpr double kRoundUp = 1.0 + 0x1p-48;
inline constexpr double kInfinity = __builtin_inf();

/// s + e = a + b exactly (Knuth). Proof: two_sum_exact.
template <class L>
EQUINORM_ORACLE_INLINE void two_sum(typename L::V a, typename L::V b, typename L::V& s, typename L::V& e) {
  using V = typename L::V;
  const V sum = a + b;
  const V part = sum - a;
  e = (a - (sum - part)) + (b - part);
  s = sum;
}

/// s + e = a + b exactly where |a| >= |b| or a = 0, or where a is a multiple of b's ulp (Dekker). Proof: fast_two_sum_exact.
template <class L>
EQUINORM_ORACLE_INLINE void fast_two_sum(typename L::V a, typename L::V b, typename L::V& s, typename L::V& e) {
  using V = typename L::V;
  const V sum = a + b;
  e = b - (sum - a);
  s = sum;
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> exact(typename L::V x) {
  return {x, L::set(0.0), L::set(0.0)};
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> spread(const Enclosed& x) {
  return {L::set(x.hi), L::set(x.lo), L::set(x.radius)};
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> load(const double* hi, const double* lo, const double* radius) {
  return {L::load(hi), L::load(lo), L::load(radius)};
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> neg(const Bounded<L>& a) {
  return {-a.hi, -a.lo, a.radius};
}

/// a + b, exactly known radii `ra + rb` plus the pair error. Proof: pair_sum_error, enclosed_sum, radius_round_up.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> add(const Bounded<L>& a, const Bounded<L>& b) {
  using V = typename L::V;
  V sh, sl, th, tl, vh, vl, zh, zl;
  two_sum<L>(a.hi, b.hi, sh, sl);
  two_sum<L>(a.lo, b.lo, th, tl);
  fast_two_sum<L>(sh, sl + th, vh, vl);
  fast_two_sum<L>(vh, tl + vl, zh, zl);
  return {zh, zl, (a.radius + b.radius + kPairError * L::abs(zh) + kTiny) * kRoundUp};
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> sub(const Bounded<L>& a, const Bounded<L>& b) {
  return add<L>(a, neg<L>(b));
}

/// a b. Proof: fma_two_product, pair_product_error, enclosed_product, radius_round_up.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> mul(const Bounded<L>& a, const Bounded<L>& b) {
  using V = typename L::V;
  const V p = a.hi * b.hi;
  const V e = L::fma(a.hi, b.hi, -p);
  const V cross = L::fma(a.lo, b.hi, L::fma(a.hi, b.lo, a.lo * b.lo));
  V zh, zl;
  fast_two_sum<L>(p, e + cross, zh, zl);
  const V carried = L::abs(a.hi) * b.radius + L::abs(b.hi) * a.radius + a.radius * b.radius;
  return {zh, zl, (carried + kPairError * L::abs(zh) + kTiny) * kRoundUp};
}

/// a b for an exact number b. Proof: pair_scaled_error, enclosed_scaled, radius_round_up.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> mul(const Bounded<L>& a, typename L::V b) {
  using V = typename L::V;
  const V p = a.hi * b;
  const V e = L::fma(a.hi, b, -p);
  V zh, zl;
  fast_two_sum<L>(p, L::fma(a.lo, b, e), zh, zl);
  return {zh, zl, (L::abs(b) * a.radius + kPairError * L::abs(zh) + kTiny) * kRoundUp};
}

/// a 2^k: exact while nothing underflows (kTiny covers that) or overflows.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> scale(const Bounded<L>& a, typename L::V power_of_two) {
  return {a.hi * power_of_two, a.lo * power_of_two, a.radius * power_of_two + kTiny};
}

/// a / b with an error measured afterwards: for any q, a/b - q = (a - q b)/b. q = q1 + q2 from two divisions; a - q b is computed as a
/// Bounded and divided by a lower bound of |b|. Infinite radius where b may be 0. Proof: measured_quotient, divisor_low.
template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> div(const Bounded<L>& a, const Bounded<L>& b) {
  using V = typename L::V;
  const V first = a.hi / b.hi;
  const Bounded<L> rest = sub<L>(a, mul<L>(b, first));
  const V second = rest.hi / b.hi;
  const Bounded<L> left = sub<L>(rest, mul<L>(b, second));
  V zh, zl;
  two_sum<L>(first, second, zh, zl);
  // (1 - 2^-48) |b.hi| - radius (1 + ...) is below every |b|: |lo| <= 2^-53 |hi|, and three roundings.
  const V smallest = L::abs(b.hi) * (1.0 - 0x1p-48) - b.radius * kRoundUp;
  const V radius = ((L::abs(left.hi) + L::abs(left.lo) + left.radius) / smallest + kTiny) * kRoundUp * kRoundUp;
  const V unbounded = L::set(kInfinity);
  return {zh, zl, smallest > L::set(0.0) ? radius : unbounded};
}

}  // namespace equinorm::oracle
