#include "paths/scale_value.hpp"

namespace equinorm::paths {

scalar::Real scale_value(const problem::ScaleSpec& spec, int bits) {
  using scalar::Real;
  if (spec.value) return Real::from_rational(spec.value->value(), bits);
  const int wide = bits + 32;  // five roundings, each 2^-32 of the result's last place
  Real scale = scalar::rsqrt(Real::from_integer(spec.inverse_sqrt_of, wide), wide);
  if (spec.yarn) {
    const Real log_factor = scalar::log(Real::from_rational(spec.yarn->factor.value(), wide), wide);
    const Real slope = Real::from_rational(spec.yarn->mscale.value() / 10, wide);
    const Real mscale = scalar::fma(slope, log_factor, Real::from_integer(1, wide), wide);
    scale = scalar::mul(scale, scalar::mul(mscale, mscale, wide), wide);
  }
  return scalar::round(scale, bits);
}

}  // namespace equinorm::paths
