// Element-by-element comparison of two path outputs in an exact arithmetic.
#pragma once

#include <fmt/format.h>

#include "exact/equality.hpp"
#include "problem/axes.hpp"

namespace equinorm::exact {

/// Tokens of all rows over those of as many rows as long as the longest: what of a tensor with tokens is not padding.
inline Index without_padding(const problem::Problem& problem, const std::string& tensor, Index size) {
  for (const problem::Axis& axis : problem::axes_of(problem, tensor)) {
    if (axis.along != problem::Along::tokens || size == 0) continue;
    Index tokens = 0;
    for (Index b = 0; b < problem.batch; ++b) tokens += problem.context_of(b);
    return size / (problem.batch * problem.max_context()) * tokens;
  }
  return size;
}

/// Compares every tensor that both outputs of the block hold, in data-flow order; stops at the first difference. A step is a tensor, or the
/// flags that belong to it. Which tokens a query sees is kept of head 0 alone, for the block that holds it to compare.
template <class V, class ToString>
void compare_outputs(const problem::Problem& problem, const problem::Block& block, const paths::PathOutput<V>& explicit_out,
                     const paths::PathOutput<V>& absorbed_out, const ToString& to_string, FieldPiece& piece) {
  const auto depart = [&](const std::string& name, std::vector<Index> index, const std::string& left, const std::string& right) {
    problem::move_to_whole(problem, block, name, index);
    piece.departure = Departure{stage_of(name), name, std::move(index), left, right};
    return false;
  };
  const auto compare = [&](const std::string& name, const auto& left, const auto& right, const auto& show) {
    for (Index i = 0; i < left.size(); ++i) {
      if (left[i] == right[i]) continue;
      std::vector<Index> index = tensor::unravel(left.shape(), i);
      if (name == "logits" && index.size() == 3) index.insert(index.begin() + 1, 0);  // flags, of head 0
      return depart(name, std::move(index), show(left[i]), show(right[i]));
    }
    piece.equal_elements.push_back(without_padding(problem, name, left.size()));
    return true;
  };
  const auto flags = [](std::uint8_t flag) { return std::string(flag != 0 ? "a number" : "-inf"); };
  const tensor::Tensor<std::uint8_t> none;
  const bool head_zero = block.first_head == 0;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const std::string& name = spec.name;
    if (!explicit_out.has(name) || !absorbed_out.has(name)) continue;
    if (name == "logits" && !compare(name, head_zero ? explicit_out.live : none, head_zero ? absorbed_out.live : none, flags)) return;
    if (name == "lse" && !compare(name, explicit_out.lse_live, absorbed_out.lse_live, flags)) return;
    if (!compare(name, explicit_out.at(name), absorbed_out.at(name), to_string)) return;
  }
}

}  // namespace equinorm::exact
