#include "paths/path.hpp"

#include "problem/norm_traits.hpp"

namespace equinorm::paths {

std::vector<problem::TensorSpec> outputs_of(PathKind form, const problem::Problem& problem, const Plan& plan) {
  static const Wanted explicit_only{"q_hat", "k_hat"};
  static const Wanted absorbed_only{"u", "q_tilde", "q_rope_hat", "k_rope_cached", "k_deferred"};
  const bool normed = problem::norm_traits(problem).normed;
  std::vector<problem::TensorSpec> specs;
  for (problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const bool is_explicit = form == PathKind::explicit_form;
    if ((is_explicit ? absorbed_only : explicit_only).contains(spec.name)) continue;
    // q_tilde is defined without alpha_q: a plan that folds alpha_q into it has no such tensor to show.
    if (spec.name == "q_tilde" && normed && plan.fold_alpha_q) continue;
    // Unified, alpha_q on the score tile: the RoPE query is never normalised by itself.
    if (spec.name == "q_rope_hat" && problem::norm_traits(problem).spans_rope && !plan.fold_alpha_q) continue;
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace equinorm::paths
