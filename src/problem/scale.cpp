#include "problem/scale.hpp"

namespace equinorm::problem {

ScaleSpec softmax_scale(const Problem& problem) {
  ScaleSpec scale;
  scale.value = problem.scale;
  scale.inverse_sqrt_of = problem.key_dim();
  const auto& scaling = problem.rope.scaling;
  if (!problem.scale && scaling && scaling->type == RopeScaling::Type::yarn) scale.yarn = ScaleSpec::Yarn{scaling->mscale, scaling->factor};
  return scale;
}

}  // namespace equinorm::problem
