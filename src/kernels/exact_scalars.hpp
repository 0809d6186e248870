// The problem's decimal and irrational numbers beyond binary64, for runs without rounding.
#pragma once

#include "kernels/backend.hpp"
#include "problem/problem.hpp"

namespace equinorm::kernels {

/// eps, softcap, scale and scale log2(e) of a problem to about 106 bits: the written decimals, the default scale as the formula says.
ExactScalars exact_scalars(const problem::Problem& problem);

}  // namespace equinorm::kernels
