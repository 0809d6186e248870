#include "inputs/rope_tables.hpp"

#include <fmt/format.h>
#include <mpfr.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "scalar/real.hpp"

namespace equinorm::inputs {
namespace {

using scalar::Rational;
using scalar::Real;
__extension__ using Fixed = unsigned __int128;
__extension__ using SignedFixed = __int128;

constexpr int kBits = 320;

/// d(beta) of the yarn formula. Never an integer, since pi is transcendental and the rest algebraic; so floor and ceil are decided by kBits
/// bits.
Real correction_dim(const problem::Rope& rope, Index rotated_dims, const scalar::Decimal& beta) {
  Real two_pi(kBits);
  mpfr_const_pi(two_pi.reset(kBits), MPFR_RNDN);
  two_pi = scalar::mul(two_pi, Real::from_integer(2, kBits), kBits);
  const Real turns = Real::from_rational(Rational(rope.scaling->original_context) / beta.value(), kBits);
  const Real numerator = scalar::log(scalar::div(turns, two_pi, kBits), kBits);
  const Real denominator = scalar::log(Real::from_rational(rope.theta.value(), kBits), kBits);
  const Real ratio = scalar::div(numerator, denominator, kBits);
  return scalar::mul(ratio, Real::from_rational(Rational(rotated_dims) / 2, kBits), kBits);
}

Rational yarn_factor(const problem::Rope& rope, Index rotated_dims, Index pair) {
  const problem::RopeScaling& scaling = *rope.scaling;
  if (rope.theta.value() == 1) throw Error("rope.theta is 1; yarn scaling needs another value");
  const Real fast = correction_dim(rope, rotated_dims, scaling.beta_fast);
  const Real slow = correction_dim(rope, rotated_dims, scaling.beta_slow);
  const long low = std::max(mpfr_get_si(fast.get(), MPFR_RNDD), 0L);
  const long high = std::min(mpfr_get_si(slow.get(), MPFR_RNDU), static_cast<long>(rotated_dims - 1));
  const Rational width = high == low ? Rational(1) / 1000 : Rational(high - low);
  const Rational ramp = std::clamp<Rational>(Rational(pair - low) / width, 0, 1);
  return ramp / scaling.factor.value() + (1 - ramp);
}

void require_positive(const char* field, const scalar::Decimal& value) {
  if (value.sign() <= 0) throw Error(fmt::format("{} is {}; it must be above 0", field, value.text()));
}

/// theta^(-2i/n) * frequency_factor with `bits` bits, relative error below 2^(8 - bits).
Real frequency(const problem::Rope& rope, Index rotated_dims, Index pair, const Rational& factor, int bits) {
  const Real exponent = Real::from_rational(Rational(-2 * pair) / Rational(rotated_dims), bits + 32);
  const Real log_theta = scalar::log(Real::from_rational(rope.theta.value(), bits + 32), bits + 32);
  const Real power = scalar::exp(scalar::mul(exponent, log_theta, bits + 32), bits + 32);
  return scalar::mul(power, Real::from_rational(factor, bits + 32), bits);
}

/// One column of the tables: the rotation of one pair at any position.
class PairAngle {
 public:
  PairAngle(const problem::Rope& rope, Index rotated_dims, Index pair)
      : rope_(rope), rotated_dims_(rotated_dims), pair_(pair), factor_(frequency_factor(rope, rotated_dims, pair)) {
    const Real turns = turns_per_position();
    // kBits bits then leave more than 128 behind the point.
    if (mpfr_cmp_ui_2exp(turns.get(), 1, 64) > 0) throw Error(fmt::format("RoPE pair {} turns more than 2^64 times per position", pair));
    Real fraction(kBits), scaled(kBits);
    mpfr_frac(fraction.reset(kBits), turns.get(), MPFR_RNDD);
    for (int word = 0; word < 2; ++word) {
      mpfr_mul_2ui(scaled.reset(kBits), fraction.get(), 64, MPFR_RNDD);
      turns_ = turns_ << 64 | mpfr_get_uj(scaled.get(), MPFR_RNDZ);
      mpfr_frac(fraction.reset(kBits), scaled.get(), MPFR_RNDD);
    }
  }

  /// Correctly rounded cosine and sine at `position` < 2^32.
  void evaluate(Index position, float* cosine, float* sine) const {
    if (position == 0) {
      *cosine = 1.0F;
      *sine = 0.0F;
      return;
    }
    // turns_ is low by less than 2^-128, so position * turns_ mod 1 by less than 2^-96. Splitting off the nearest quarter leaves |rest| <=
    // 1/8.
    const Fixed turns = static_cast<Fixed>(position) * turns_;
    const auto quarter = static_cast<unsigned>((turns + (Fixed{1} << 125)) >> 126) & 3U;
    const double rest = static_cast<double>(static_cast<SignedFixed>(turns - (static_cast<Fixed>(quarter) << 126))) * 0x1p-128;
    // Relative error of x: 2^-52 from the fixed point when |rest| >= 2^-44, three roundings of 2^-53; a libm ulp on top: below 2^-49.
    const double x = rest * 0x1.921fb54442d18p2;
    const double c = std::cos(x), s = std::sin(x);
    const double swapped[2] = {c, s};
    const double true_cos = quarter == 1 || quarter == 2 ? -swapped[quarter & 1] : swapped[quarter & 1];
    const double true_sin = quarter >= 2 ? -swapped[~quarter & 1] : swapped[~quarter & 1];
    const bool accurate = std::abs(rest) >= 0x1p-44;
    *cosine = accurate && decided(true_cos) ? static_cast<float>(true_cos) : exact(position, false);
    *sine = accurate && decided(true_sin) ? static_cast<float>(true_sin) : exact(position, true);
  }

 private:
  /// Whether every number within a relative 2^-46 of `value` rounds to the same float.
  static bool decided(double value) { return static_cast<float>(value * (1 - 0x1p-46)) == static_cast<float>(value * (1 + 0x1p-46)); }

  Real turns_per_position() const {
    Real two_pi(kBits);
    mpfr_const_pi(two_pi.reset(kBits), MPFR_RNDN);
    two_pi = scalar::mul(two_pi, Real::from_integer(2, kBits), kBits);
    return scalar::div(frequency(rope_, rotated_dims_, pair_, factor_, kBits), two_pi, kBits);
  }

  /// Ziv's loop in MPFR. It ends: the value is transcendental for every position but 0, so no rounding boundary.
  float exact(Index position, bool sine) const {
    for (int bits = 256;; bits *= 2) {
      const Real angle = scalar::mul(frequency(rope_, rotated_dims_, pair_, factor_, bits), Real::from_integer(position, 64), bits);
      Real value(bits);
      (sine ? mpfr_sin : mpfr_cos)(value.reset(bits), angle.get(), MPFR_RNDN);
      // The angle's relative error is below 2^(10 - bits), so the value's absolute error is below |angle| 2^(10 - bits) + 2^-bits.
      Real radius(64), low(bits), high(bits);
      mpfr_abs(radius.reset(64), angle.get(), MPFR_RNDU);
      mpfr_add_ui(radius.reset(64), Real(radius).get(), 1, MPFR_RNDU);
      mpfr_mul_2si(radius.reset(64), Real(radius).get(), 12 - bits, MPFR_RNDU);
      mpfr_sub(low.reset(bits), value.get(), radius.get(), MPFR_RNDD);
      mpfr_add(high.reset(bits), value.get(), radius.get(), MPFR_RNDU);
      const float nearest = mpfr_get_flt(low.get(), MPFR_RNDN);
      if (nearest == mpfr_get_flt(high.get(), MPFR_RNDN)) return nearest;
    }
  }

  problem::Rope rope_;
  Index rotated_dims_;
  Index pair_;
  Rational factor_;
  Fixed turns_ = 0;  ///< frequency / (2 pi) mod 1, in units of 2^-128, rounded down
};

}  // namespace

Rational frequency_factor(const problem::Rope& rope, Index rotated_dims, Index pair) {
  require_positive("rope.theta", rope.theta);
  if (!rope.scaling) return 1;
  require_positive("rope.scaling.factor", rope.scaling->factor);
  if (rope.scaling->type == problem::RopeScaling::Type::linear) return 1 / rope.scaling->factor.value();
  require_positive("rope.scaling.beta_fast", rope.scaling->beta_fast);
  require_positive("rope.scaling.beta_slow", rope.scaling->beta_slow);
  return yarn_factor(rope, rotated_dims, pair);
}

RopeTables rope_tables(const problem::Rope& rope, Index rotated_dims, Index rows) {
  if (rotated_dims < 2 || rotated_dims % 2 != 0)
    throw Error(fmt::format("{} rotated dims; their number must be even and positive", rotated_dims));
  if (rows < 1 || rows > Index{1} << 32) throw Error(fmt::format("{} RoPE table rows; allowed are 1 to 2^32", rows));
  const Index pairs = rotated_dims / 2;
  std::vector<PairAngle> angles;
  for (Index pair = 0; pair < pairs; ++pair) angles.emplace_back(rope, rotated_dims, pair);

  RopeTables tables{tensor::Tensor<float>({rows, pairs}), tensor::Tensor<float>({rows, pairs})};
  tbb::parallel_for(tbb::blocked_range<Index>(0, rows, 256), [&](const tbb::blocked_range<Index>& range) {
    for (Index position = range.begin(); position < range.end(); ++position) {
      for (Index pair = 0; pair < pairs; ++pair) {
        angles[static_cast<std::size_t>(pair)].evaluate(position, tables.cos.row(position) + pair, tables.sin.row(position) + pair);
      }
    }
  });
  return tables;
}

}  // namespace equinorm::inputs
