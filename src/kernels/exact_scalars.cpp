#include "kernels/exact_scalars.hpp"

#include "problem/scale.hpp"
#include "scalar/real.hpp"

namespace equinorm::kernels {
namespace {

using scalar::Real;

constexpr int kBits = 192;  // far beyond the 106 that remain, so that the roundings below do not show

ExactScalar pair_of(const Real& value) {
  const double high = scalar::to_double(value);
  return {high, scalar::to_double(scalar::sub(value, Real::from_double(high, 53), kBits))};
}

Real scale_of(const problem::Problem& problem) {
  const problem::ScaleSpec spec = problem::softmax_scale(problem);
  if (spec.value) return Real::from_rational(spec.value->value(), kBits);
  Real scale = scalar::rsqrt(Real::from_integer(spec.inverse_sqrt_of, kBits), kBits);
  if (spec.yarn) {
    const Real slope = Real::from_rational(spec.yarn->mscale.value() / 10, kBits);
    const Real mscale =
        scalar::fma(slope, scalar::log(Real::from_rational(spec.yarn->factor.value(), kBits), kBits), Real::from_integer(1, kBits), kBits);
    scale = scalar::mul(scale, scalar::mul(mscale, mscale, kBits), kBits);
  }
  return scale;
}

}  // namespace

ExactScalars exact_scalars(const problem::Problem& problem) {
  const Real scale = scale_of(problem), ln2 = scalar::log(Real::from_integer(2, kBits), kBits);
  return {{"eps", pair_of(Real::from_rational(problem.norm.eps.value(), kBits))},
          {"softcap", pair_of(Real::from_rational(problem.softcap.value(), kBits))},
          {"scale", pair_of(scale)},
          {"scale_log2e", pair_of(scalar::div(scale, ln2, kBits))}};
}

}  // namespace equinorm::kernels
