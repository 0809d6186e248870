// The softmax scale, exactly and symbolically.
#pragma once

#include <optional>

#include "problem/problem.hpp"

namespace equinorm::problem {

/// scale = value, or inverse_sqrt_of^(-1/2) (0.1 mscale ln(factor) + 1)^2, the second factor under YaRN only.
struct ScaleSpec {
  struct Yarn {
    Decimal mscale;
    Decimal factor;
  };
  std::optional<Decimal> value;
  Index inverse_sqrt_of = 1;
  std::optional<Yarn> yarn;
};

/// The scale of the problem's logits.
ScaleSpec softmax_scale(const Problem& problem);

}  // namespace equinorm::problem
