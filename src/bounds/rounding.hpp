// What one rounding into a number format can do, from above.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "scalar/format.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::bounds {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Rounding to nearest into a format, with gradual underflow or, under `ftz`, with subnormal results replaced by zero.
///
/// Magnitudes are upper bounds m >= |z| of the number that is rounded, so every function here grows with its argument.
class Rounding {
 public:
  Rounding(scalar::Format format, bool ftz) : format_(format), unit_(std::ldexp(1.0, -format.precision)) {
    if (format.kind == scalar::FormatKind::real) return;
    const scalar::FormatLimits limits = scalar::limits(format);
    smallest_normal_ = limits.smallest_normal;
    largest_ = limits.largest;
    // Half of fp64's smallest number is none of binary64's: the whole one stands for it.
    lost_ = format.precision >= 53 ? limits.smallest_subnormal : 0;
    product_underflow_ = ftz ? smallest_normal_ : limits.smallest_subnormal / 2 + lost_;
    sum_underflow_ = ftz ? smallest_normal_ : 0;
  }

  /// u = 2^-p: |fl(z) - z| <= u |z| where nothing underflows; and 2^-53 more, for the number that errors are told from is itself the
  /// result of such an operation in binary64. Proof: centre_rounded.
  double unit() const { return unit_ + 0x1p-53; }
  double largest() const { return largest_; }
  scalar::Format format() const { return format_; }

  /// |fl(z) - z| for any |z| <= magnitude: half a unit in the last place at `magnitude`; x_min more may be lost to a flush. Infinite where
  /// the result may overflow. Proof: half_ulp_of_upper, flushed_of_upper.
  double half_ulp(double magnitude) const {
    if (!(magnitude <= largest_)) return kInfinity;
    const double at_least = magnitude > smallest_normal_ ? magnitude : smallest_normal_;
    const double power = std::bit_cast<double>(std::bit_cast<std::uint64_t>(at_least) & 0x7ff0000000000000U);  // 2^e <= at_least
    return power * unit_ + lost_ + sum_underflow_;
  }

  /// What is known of fl(z) for z within `spread` of the number meant, which `value` is: |fl(z) - middle| <= radius.
  struct Held {
    double middle, shift, radius;  ///< shift: middle - value
    bool known;                    ///< as a number by itself; else as z and half an ulp
  };
  /// fl is monotone, so fl(z) lies between fl(value - spread) and fl(value + spread): where these are one number, or neighbours, the error
  /// of rounding is known with its sign. Else `value`, spread and half an ulp. The ends are taken twice as far apart, so that z may
  /// also be within `spread` of a number that `value` is within `spread` of. Proof: half_ulp_of_upper, held_between, held_middle,
  /// held_widest, neighbour_arguments, argument_above.
  Held held_near(double value, double spread) const {
    const Held widest{value, 0, spread + half_ulp((std::fabs(value) + 2 * spread) * (1 + 0x1p-50)), false};
    if (sum_underflow_ > 0 || format_.precision >= 53 || !(widest.radius <= largest_)) return widest;
    const double twice = 2 * spread * (1 + 0x1p-50) + (spread > 0 ? 0x1p-51 * std::fabs(value) : 0);
    const double low = scalar::round_to(format_, value - twice), high = scalar::round_to(format_, value + twice);
    const double middle = low / 2 + high / 2;
    const Held near{middle, middle - value, ((high - low) / 2 + twice) * (1 + 0x1p-50), true};
    return std::fabs(near.shift) + near.radius < widest.radius ? near : widest;
  }

  /// |fl(z) - z| for any z within twice `spread` of value (the number meant may be `spread` from z, and from value): half an ulp, or less
  /// where all of them are rounded to one or two neighbours, since fl is monotone: fl(value - 2 spread) <= fl(z) <= fl(value + 2 spread).
  /// Proof: half_ulp_of_upper, rounded_between, neighbour_arguments, argument_above.
  double error_near(double value, double spread) const {
    const double size = std::fabs(value), widest = half_ulp((size + 2 * spread) * (1 + 0x1p-50));
    if (sum_underflow_ > 0 || format_.precision >= 53) return widest;  // flushed, or nothing to look at in binary64
    const double twice = 2 * spread * (1 + 0x1p-50) + (spread > 0 ? 0x1p-52 * size : 0);
    const double low = scalar::round_to(format_, value - twice), high = scalar::round_to(format_, value + twice);
    const double near = (std::fmax(std::fabs(low - value), std::fabs(high - value)) + twice) * (1 + 0x1p-50);
    return near < widest ? near : widest;
  }

  /// Relative part of a rounding whose operand's binade is not known: u |z|. Infinite where the result may overflow. Proof:
  /// half_ulp_relative, centre_rounded.
  double relative(double magnitude) const { return magnitude <= largest_ ? unit() * magnitude : kInfinity; }

  /// omega: what underflow adds to a product, quotient or store, and to a sum (exact there unless flushed): the standard model
  /// fl(z) = z (1 + delta) + omega, Higham 2002, section 2. Proof: round_model, round_sum_error, flushed_operation.
  double product_underflow() const { return product_underflow_; }
  double sum_underflow() const { return sum_underflow_; }

 private:
  scalar::Format format_;
  double unit_;
  double smallest_normal_ = 0;
  double lost_ = 0;
  double largest_ = std::numeric_limits<double>::max();
  double product_underflow_ = 0;
  double sum_underflow_ = 0;
};

/// (1+u)^h - 1, rounded up. Proof: phi_as_exp, phi_evaluation.
inline double phi(double height, double unit) { return std::expm1(height * std::log1p(unit)) * (1 + 0x1p-40); }

}  // namespace equinorm::bounds
