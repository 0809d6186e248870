// Products of doubles rounded to odd, for a later rounding to fp32, bf16 or fp16. One number at a time; forced inline for the reason in
// lanes.hpp.
#pragma once

#include "scalar/lanes.hpp"

namespace equinorm::scalar {

/// Results at or above this need no care: every narrower format overflows (and so do 2^128 and more).
inline constexpr double kFarOverflow = 0x1p200;
/// Products below this lose bits of their own error term, and are below half the smallest subnormal of every narrower format.
inline constexpr double kFarUnderflow = 0x1p-900;

/// a + b: as add_to_odd, with a sum that overflows left as it is.
EQUINORM_ALWAYS_INLINE double odd_add(double a, double b) { return add_to_odd<Lanes<double, 1>>(a, b); }

/// a b rounded to odd, or a value that rounds to the same fp32, bf16 and fp16.
EQUINORM_ALWAYS_INLINE double odd_multiply(double a, double b) {
  const double p = a * b;
  const double size = __builtin_fabs(p);
  if (!(size < kFarOverflow && size > kFarUnderflow)) return p;
  return to_odd<Lanes<double, 1>>(p, __builtin_fma(a, b, -p));
}

/// a b + c rounded to odd, or a value that rounds to the same fp32, bf16 and fp16.
///
/// With |s| = |RN(ab + c)| below kFarOverflow and not 0, a product of 2^500 or more is impossible (both terms would be multiples of 2^390,
/// and so would s), hence nothing below overflows. The error term is ErrFma of Boldo and Muller, "Exact and approximated error of the FMA"
/// (2011): ab + c = s + r2 + r3 exactly, and r2 = RN(r2 + r3) has the sign of the error.
EQUINORM_ALWAYS_INLINE double odd_fma(double a, double b, double c) {
  using L = Lanes<double, 1>;
  const double s = __builtin_fma(a, b, c);
  if (!(__builtin_fabs(s) < kFarOverflow) || s == 0) return s;
  const double p = a * b;
  if (p == 0 && (a == 0 || b == 0)) return s;
  if (__builtin_fabs(p) <= kFarUnderflow) {
    // Either c rules, and the product is only a direction, or everything rounds to a zero of the sign of s.
    if (__builtin_fabs(c) < 0x1p-700) return s;
    return to_odd<L>(s, (a < 0) == (b < 0) ? 1.0 : -1.0);
  }
  const double p_low = __builtin_fma(a, b, -p);
  const double t_high = c + p_low;
  const double t_part = t_high - c;
  const double t_low = (c - (t_high - t_part)) + (p_low - t_part);
  const double u_high = p + t_high;
  const double u_part = u_high - p;
  const double u_low = (p - (u_high - u_part)) + (t_high - u_part);
  const double error = ((u_high - s) + u_low) + t_low;
  return to_odd<L>(s, error);
}

}  // namespace equinorm::scalar
