// The exact softmax scale as a number.
#pragma once

#include "problem/scale.hpp"
#include "scalar/real.hpp"

namespace equinorm::paths {

/// The scale within 2 units of its last of `bits` bits: value, or n^(-1/2) (0.1 mscale ln(factor) + 1)^2.
scalar::Real scale_value(const problem::ScaleSpec& spec, int bits);

}  // namespace equinorm::paths
