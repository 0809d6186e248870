#include <algorithm>

#include "exact/equality.hpp"

namespace equinorm::exact {

problem::Problem shrink(const problem::Problem& problem) {
  using problem::MaskKind;
  problem::Problem small = problem;
  small.name += " (shrunk)";
  small.batch = std::min<Index>(problem.batch, 2);
  // The longest row must be among those kept, or features that need keys would vanish; and the shortest, shorter still.
  const Index longest = problem.max_context(), shortest = *std::min_element(problem.context.begin(), problem.context.end());
  small.context = {std::min<Index>(longest, 9)};
  if (problem.context.size() > 1)
    small.context.resize(static_cast<std::size_t>(small.batch), std::min<Index>(shortest, shortest < longest ? 8 : 9));
  small.queries = std::min<Index>(problem.queries, 3);
  if (small.start == problem::Start::x) small.queries = std::min(small.queries, std::max<Index>(1, small.max_context()));
  // Keep the character of the grouping: one group, one head per group, or something in between.
  const Index heads_per_group = std::min<Index>(problem.heads / problem.groups, 2);
  small.groups = std::min<Index>(problem.groups, 2);
  small.heads = small.groups * heads_per_group;
  small.latent = std::min<Index>(problem.latent, 5);
  small.content_dim = std::min<Index>(problem.content_dim, 4);
  if (problem.is_mla()) {
    small.rope_dim = std::min<Index>(problem.rope_dim, 4);
  } else {
    const bool partial = problem.rope_dim < problem.head_dim;
    small.head_dim = std::min<Index>(problem.head_dim, 6);
    small.rope_dim = std::min<Index>(problem.rope_dim, partial ? 4 : small.head_dim);
  }
  small.value_dim = std::min<Index>(problem.value_dim, 3);
  small.model_dim = std::min<Index>(problem.model_dim, 4);
  small.query_latent = std::min<Index>(problem.query_latent, 3);
  if (problem.mask.kind == MaskKind::window) small.mask.window = std::min<Index>(problem.mask.window, 4);
  small.inputs = {};
  return small;
}

}  // namespace equinorm::exact
