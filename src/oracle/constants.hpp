// The decimal constants of a problem as enclosed numbers.
#pragma once

#include "oracle/functions.hpp"
#include "problem/problem.hpp"

namespace equinorm::oracle {

/// Nearest pair; radius 2^-104 of it.
Enclosed enclose_rational(const scalar::Rational& value);
inline Enclosed enclose_decimal(const problem::Decimal& value) { return enclose_rational(value.value()); }

/// The softmax scale: the given one, or key_dim^-1/2, under YaRN times (0.1 mscale ln(factor) + 1)^2.
Enclosed enclose_scale(const problem::Problem& problem);

}  // namespace equinorm::oracle
