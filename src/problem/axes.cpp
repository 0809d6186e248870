#include "problem/axes.hpp"

#include "problem/norm_traits.hpp"

namespace equinorm::problem {
namespace {

std::vector<Axis> input_axes(const Problem& p, const std::string& name) {
  using enum Along;
  const bool full = norm_traits(p).over_all_heads;
  const Index d = p.key_dim();
  if (name == "c" || name == "k_rope" || name == "x" || name == "positions_k") return {{0, rows}, {1, tokens}};
  if (name == "positions_q") return {{0, rows}, {1, queries}};
  if (name == "k" || name == "v") return {{0, rows}, {1, tokens}, {2, groups}};
  if (name == "q" || name == "q_content" || name == "q_rope") return {{0, rows}, {1, queries}, {2, heads}};
  if (name == "w_k" && !p.is_mla()) return {{1, groups, d}};
  if (name == "w_v" && !p.is_mla()) return {{1, groups, p.value_dim}};
  if (name == "w_k" || name == "w_v") return {{0, groups}};
  if (name == "w_q" || name == "w_uq") return {{1, heads, d}};
  if (name == "w_o") return {{0, heads, p.value_dim}};
  if (name == "gate") return {{0, rows}, {1, queries}, {2, heads, p.value_dim}};
  if (name == "sink") return {{0, heads}};
  if (full && name == "gamma_cq") return {{0, heads, p.content_dim}};
  if (full && name == "gamma_ck") return {{0, groups, p.content_dim}};
  if (full && name == "gamma_rq") return {{0, heads, p.rope_dim}};
  if (full && name == "gamma_q") return {{0, heads, d}};
  if (full && name == "gamma_k") return {{0, groups, d}};
  return {};
}

std::vector<Axis> output_axes(const Problem& p, const std::string& name) {
  using enum Along;
  if (name == "k_rope_cached") return {{0, rows}, {1, tokens}};
  // A full-width norm has one statistic for all groups.
  if (name == "alpha_k" && norm_traits(p).over_all_heads) return {{0, rows}, {1, tokens}};
  if (name == "alpha_k" || name == "k_hat" || name == "k_deferred") return {{0, rows}, {1, tokens}, {2, groups}};
  if (name == "logits" || name == "p") return {{0, rows}, {1, heads}, {2, queries}, {3, tokens}};
  if (name == "lse") return {{0, rows}, {1, heads}, {2, queries}};
  if (name == "y") return {{0, rows}, {1, queries}};
  if (name == "alpha_q" || name == "q_tilde" || name == "q_rope_hat" || name == "q_hat" || name == "u" || name == "o" || name == "o_gated")
    return {{0, rows}, {1, queries}, {2, heads}};
  return {};
}

}  // namespace

std::vector<Axis> axes_of(const Problem& problem, const std::string& tensor) {
  std::vector<Axis> axes = input_axes(problem, tensor);
  return axes.empty() ? output_axes(problem, tensor) : axes;
}

}  // namespace equinorm::problem
