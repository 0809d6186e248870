// Logits of a small problem by the explicit formulas, in binary64, for tests of input families.
#pragma once

#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// scale * q^ . k^ for every (b, h, i, t), flat in that order; masks, softcap and YaRN's mscale are not applied. Default positions.
/// Norm schemes blockwise, unified, full_width (gqa), per_head and none; both starts.
std::vector<double> naive_scores(const problem::Problem& problem, const tensor::TensorMap& inputs);

/// Whether query i of row b sees key t.
bool sees(const problem::Problem& problem, std::int64_t b, std::int64_t i, std::int64_t t);

}  // namespace equinorm::inputs
