// Certified enclosures of the outputs of a problem, by formulas of its own.
#pragma once

#include <map>
#include <set>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::oracle {

/// Per element: |exact - value| <= radius and |exact - (value + low)| <= low_radius. -inf (masked logits, lse of nothing) is exact: radii
/// 0. A radius is +inf where no enclosure was found: the exact value does not exist (eps 0 with a zero row), something overflows binary64,
/// or logits are so large (about 1e20 and more) that pairs of doubles cannot tell their exponentials.
struct EnclosedTensor {
  tensor::Tensor<double> value, low, radius, low_radius;
};
using Enclosures = std::map<std::string, EnclosedTensor>;

/// Encloses the outputs in `wanted` (empty: all of problem::output_tensors, in their shapes); elements that the problem does not define
/// (padding, the turned dims of a query without a position) are 0 with radius 0. The explicit formula (3), (5), (9): keys are materialised
/// in blocks of tokens and forgotten; memory does not grow with the context beyond the outputs themselves. The same bits at any number of
/// threads and at every SIMD level. Throws Error when an input is missing or has another shape, for unknown names, and when the rounding
/// mode is not to nearest or subnormals are flushed.
Enclosures enclose(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& wanted = {});

}  // namespace equinorm::oracle
