// The problem's scalars as a kernel gets them.
#pragma once

#include "problem/problem.hpp"

namespace equinorm::kernels {

/// The nearest binary64 to each exact value.
struct Scalars {
  double scale = 1;  ///< multiplies the logits
  double eps = 0;
  double softcap = 0;
};

Scalars scalars_of(const problem::Problem& problem);

}  // namespace equinorm::kernels
