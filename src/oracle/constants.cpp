#include "oracle/constants.hpp"

#include <cmath>

#include "problem/scale.hpp"

namespace equinorm::oracle {

Enclosed enclose_rational(const scalar::Rational& value) {
  const auto hi = value.convert_to<double>();
  if (!std::isfinite(hi)) return {hi, 0, kInfinity};
  const scalar::Rational rest = value - scalar::Rational(hi);
  const auto low = rest.convert_to<double>();
  // The conversions may be off by an ulp, so the pair is normalised and what is left is measured, rounded up.
  const scalar::Rational left = abs(rest - scalar::Rational(low));
  double sum, error;
  two_sum<One>(hi, low, sum, error);
  return {sum, error, left == 0 ? 0.0 : (left.convert_to<double>() * (1 + 0x1p-40) + kTiny) * kRoundUp};
}

Enclosed enclose_scale(const problem::Problem& problem) {
  const problem::ScaleSpec spec = problem::softmax_scale(problem);
  if (spec.value) return enclose_decimal(*spec.value);
  Enclosed scale = inverse_sqrt<One>({static_cast<double>(spec.inverse_sqrt_of), 0, 0});
  if (spec.yarn) {
    const Enclosed factor = enclose_decimal(spec.yarn->factor);
    const Enclosed logarithm = log_near(factor, std::log(factor.hi));
    const Enclosed tenth = enclose_rational(spec.yarn->mscale.value() / 10);
    const Enclosed mscale = add<One>(mul<One>(tenth, logarithm), {1, 0, 0});
    scale = mul<One>(mul<One>(scale, mscale), mscale);
  }
  return scale;
}

}  // namespace equinorm::oracle
