#include "inputs/degenerate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "problem/norm_traits.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::AnyTensor;
using tensor::TensorMap;

bool is_zero(const AnyTensor& tensor, Index begin, Index count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  tensor.read(begin, count, values.data());
  return std::all_of(values.begin(), values.end(), [](double value) { return value == 0; });
}

/// Tensors [B, N, ...] of which every token or query has `parts_per_row` parts with a statistic each: undefined where all tensors are zero.
struct Statistic {
  std::vector<std::string> tensors;
  bool keys;            ///< N counts tokens (only T_b of them live), not queries
  Index parts_per_row;  ///< statistics per token or query
};

void check_statistic(const Problem& problem, const TensorMap& inputs, const Statistic& statistic) {
  std::vector<const AnyTensor*> tensors;
  for (const std::string& name : statistic.tensors) {
    const auto found = inputs.find(name);
    if (found != inputs.end()) tensors.push_back(&found->second);
  }
  if (tensors.empty()) return;
  const Index rows = tensors[0]->shape()[1];
  for (Index b = 0; b < problem.batch; ++b) {
    const Index live = statistic.keys ? problem.context_of(b) : rows;
    for (Index part = 0; part < live * statistic.parts_per_row; ++part) {
      const Index flat_part = b * rows * statistic.parts_per_row + part;
      const bool zero = std::all_of(tensors.begin(), tensors.end(), [&](const AnyTensor* tensor) {
        const Index width = tensor->size() / (problem.batch * rows * statistic.parts_per_row);
        return is_zero(*tensor, flat_part * width, width);
      });
      if (!zero) continue;
      throw Error(fmt::format("input tensor \"{}\" is all zero at [{},{}]; with norm.eps 0 a normalised row must have a nonzero element",
                              fmt::join(statistic.tensors, "\" with \""), b, part / statistic.parts_per_row));
    }
  }
}

std::vector<Statistic> statistics_of(const Problem& problem) {
  if (problem.start == problem::Start::x) return {{{"x"}, true, 1}};
  const bool full_width = problem::norm_traits(problem).over_all_heads;
  const Index query_parts = full_width ? 1 : problem.heads;
  if (!problem.is_mla()) return {{{"k"}, true, full_width ? 1 : problem.groups}, {{"q"}, false, query_parts}};
  if (problem::norm_traits(problem).spans_rope) return {{{"c", "k_rope"}, true, 1}, {{"q_content", "q_rope"}, false, query_parts}};
  std::vector<Statistic> content{{{"c"}, true, 1}, {{"q_content"}, false, query_parts}};
  if (!problem::norm_traits(problem).own_rope_statistic) return content;
  content.push_back({{"k_rope"}, true, 1});
  content.push_back({{"q_rope"}, false, query_parts});
  return content;
}

}  // namespace

void check_inverse_rms(const Problem& problem, const TensorMap& inputs) {
  const bool normed = problem::norm_traits(problem).normed || problem.norm.latent_norm;
  if (!normed || !problem.norm.eps.is_zero()) return;
  for (const Statistic& statistic : statistics_of(problem)) check_statistic(problem, inputs, statistic);
}

}  // namespace equinorm::inputs
