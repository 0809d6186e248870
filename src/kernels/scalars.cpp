#include "kernels/scalars.hpp"

#include "problem/scale.hpp"
#include "scalar/real.hpp"

namespace equinorm::kernels {
namespace {

/// Five roundings at 256 bits: the nearest binary64 of a transcendental number but for a chance of 2^-200.
double nearest_scale(const problem::ScaleSpec& spec) {
  using scalar::Real;
  if (spec.value) return spec.value->to_double();
  constexpr int kBits = 256;
  Real scale = scalar::rsqrt(Real::from_integer(spec.inverse_sqrt_of, kBits), kBits);
  if (spec.yarn) {
    const Real log_factor = scalar::log(Real::from_rational(spec.yarn->factor.value(), kBits), kBits);
    const Real slope = Real::from_rational(spec.yarn->mscale.value() / 10, kBits);
    const Real mscale = scalar::add(scalar::mul(slope, log_factor, kBits), Real::from_integer(1, kBits), kBits);
    scale = scalar::mul(scale, scalar::mul(mscale, mscale, kBits), kBits);
  }
  return scalar::to_double(scale);
}

}  // namespace

Scalars scalars_of(const problem::Problem& problem) {
  return {nearest_scale(problem::softmax_scale(problem)), problem.norm.eps.to_double(), problem.softcap.to_double()};
}

}  // namespace equinorm::kernels
