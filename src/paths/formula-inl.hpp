// Bodies of formula.hpp.
#pragma once

#include <vector>

#include "paths/formula.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::paths {

using problem::MaskKind;
using problem::NormKind;
using problem::NormScheme;
using problem::NormWeight;
using problem::RopeLayout;

template <Arithmetic A>
bool Formula<A>::sees(const Context& row, Index query, Index t) const {
  if (row.problem.mask.kind == MaskKind::none) return true;
  // Bottom-right aligned by index, whatever the RoPE positions are.
  const Index last = row.problem.query_position(row.b, query);
  if (last < 0 || t > last) return false;
  return row.problem.mask.kind == MaskKind::causal || t > last - row.problem.mask.window;
}

template <Arithmetic A>
auto Formula<A>::inverse_norm(const Context& row, Side side, Block block, const V& sum_of_squares, Index width) const -> V {
  const A& ar = row.ar;
  const V mean = row.problem.norm.kind == NormKind::rms ? ar.div(sum_of_squares, ar.integer(width)) : sum_of_squares;
  const V alpha = ar.rsqrt(ar.add(mean, ar.constant(row.problem.norm.eps)));
  // Only the cached alpha_k has a storage format of its own.
  return side == Side::key && block != Block::rope ? ar.store(Stored::alpha, alpha) : alpha;
}

template <Arithmetic A>
auto Formula<A>::concatenated_square_sum(const Context& row, const V* a, Index a_width, const V* b, Index b_width) const -> V {
  if (b_width == 0) return square_sum(row, a, a_width);
  std::vector<V> joined(a, a + a_width);
  joined.insert(joined.end(), b, b + b_width);
  return square_sum(row, joined.data(), a_width + b_width);
}

template <Arithmetic A>
auto Formula<A>::scheme_key_alpha(const Context& row, NormScheme scheme, Index g, Index t, const V* k0) const -> V {
  const problem::Problem& pb = row.problem;
  if (!pb.is_mla()) {
    const V* key = row.k + t * pb.groups * pb.head_dim;
    const bool full = problem::traits(scheme).over_all_heads;
    const Index width = full ? pb.groups * pb.head_dim : pb.head_dim;
    return inverse_norm(row, Side::key, Block::whole, square_sum(row, full ? key : key + g * pb.head_dim, width), width);
  }
  const Index d_c = pb.content_dim;
  if (problem::traits(scheme).over_all_heads) {
    std::vector<V> all;
    for (Index group = 0; group < pb.groups; ++group) {
      const V* k0_row = row.k0_all->row(group, t);
      all.insert(all.end(), k0_row, k0_row + d_c);
    }
    return inverse_norm(row, Side::key, Block::content, square_sum(row, all.data(), pb.groups * d_c), pb.groups * d_c);
  }
  const Index d_r = problem::traits(scheme).spans_rope ? pb.rope_dim : 0;
  const V* rope = d_r > 0 ? row.k_rope + t * d_r : nullptr;
  return inverse_norm(row, Side::key, Block::content, concatenated_square_sum(row, k0 + t * d_c, d_c, rope, d_r), d_c + d_r);
}

template <Arithmetic A>
auto Formula<A>::key_alpha(const Context& row, Index g, Index t, const V* k0) const -> V {
  return scheme_key_alpha(row, row.problem.norm.scheme, g, t, k0);
}

template <Arithmetic A>
auto Formula<A>::key_rope_alpha(const Context& row, Index t) const -> V {
  const Index d_r = row.problem.rope_dim;
  return inverse_norm(row, Side::key, Block::rope, square_sum(row, row.k_rope + t * d_r, d_r), d_r);
}

template <Arithmetic A>
auto Formula<A>::query_alpha(const Context& row, Index s, Index h) const -> V {
  const problem::Problem& pb = row.problem;
  const bool full = problem::norm_traits(pb).over_all_heads;
  const Index d = pb.is_mla() ? pb.content_dim : pb.head_dim;
  const V* query = (pb.is_mla() ? row.q_content : row.q) + (s * pb.heads + (full ? 0 : h)) * d;
  const Index width = full ? pb.heads * d : d;
  if (!pb.is_mla()) return inverse_norm(row, Side::query, Block::whole, square_sum(row, query, width), width);
  const Index d_r = problem::norm_traits(pb).spans_rope ? pb.rope_dim : 0;
  const V* rope = d_r > 0 ? row.q_rope + (s * pb.heads + h) * d_r : nullptr;
  return inverse_norm(row, Side::query, Block::content, concatenated_square_sum(row, query, width, rope, d_r), width + d_r);
}

template <Arithmetic A>
auto Formula<A>::query_rope_alpha(const Context& row, Index s, Index h) const -> V {
  const problem::Problem& pb = row.problem;
  const bool full = problem::norm_traits(pb).over_all_heads;
  const Index width = full ? pb.heads * pb.rope_dim : pb.rope_dim;
  const V* query = row.q_rope + (s * pb.heads + (full ? 0 : h)) * pb.rope_dim;
  return inverse_norm(row, Side::query, Block::rope, square_sum(row, query, width), width);
}

template <Arithmetic A>
auto Formula<A>::weights(const Context& row, Side side, Block block, Index head_or_group) const -> std::vector<V> {
  const problem::Problem& pb = row.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  if (!norm.normed || pb.norm.weight == NormWeight::none) return {};
  const std::string suffix = side == Side::query ? "q" : "k";
  const bool whole = norm.spans_rope || block == Block::whole;
  const Tensor<V>& gamma = row.in.at(whole ? "gamma_" + suffix : (block == Block::content ? "gamma_c" : "gamma_r") + suffix);
  const Index width = block == Block::content ? pb.content_dim : block == Block::rope ? pb.rope_dim : pb.head_dim;
  Index first = norm.spans_rope && block == Block::rope ? pb.content_dim : 0;
  // Full width: every head has its own stretch, except the one RoPE key that all heads share.
  if (norm.over_all_heads && !(side == Side::key && block == Block::rope)) first = head_or_group * width;
  std::vector<V> result(gamma.data() + first, gamma.data() + first + width);
  if (pb.norm.weight == NormWeight::zero_centred) {
    const V one = row.ar.integer(1);
    for (V& w : result) w = row.ar.add(one, w);
  }
  return result;
}

template <Arithmetic A>
void Formula<A>::weigh_and_rotate(const Context& row, Side side, Block block, V* x, const V* weight, Index position) const {
  const problem::Problem& pb = row.problem;
  const Index width = block == Block::content ? pb.content_dim : block == Block::rope ? pb.rope_dim : pb.head_dim;
  if (weight != nullptr) {
    for (Index j = 0; j < width; ++j) x[j] = row.ar.mul(x[j], weight[j]);
  }
  rotate(row, side, block, x, position);
}

template <Arithmetic A>
void Formula<A>::rotate(const Context& row, Side, Block block, V* x, Index position) const {
  const problem::Problem& pb = row.problem;
  if (block == Block::content || pb.rotated_dim() == 0) return;
  const bool last = block == Block::whole && pb.rope.part == problem::RopePart::last;
  rotate_pairs(row, pb.rope.layout, last ? x + pb.head_dim - pb.rope_dim : x, pb.rotated_dim(), position);
}

template <Arithmetic A>
void Formula<A>::rotate_pairs(const Context& row, RopeLayout layout, V* x, Index width, Index position) const {
  if (position < 0) return;  // such a query sees nothing
  const A& ar = row.ar;
  const V* cosine = row.in.at("rope_cos").row(position);
  const V* sine = row.in.at("rope_sin").row(position);
  const Index half = width / 2;
  for (Index i = 0; i < half; ++i) {
    V& first = x[layout == RopeLayout::interleaved ? 2 * i : i];
    V& second = x[layout == RopeLayout::interleaved ? 2 * i + 1 : i + half];
    const V turned = ar.sub(ar.mul(first, cosine[i]), ar.mul(second, sine[i]));
    second = ar.add(ar.mul(first, sine[i]), ar.mul(second, cosine[i]));
    first = turned;
  }
}

template <Arithmetic A>
auto Formula<A>::join_scores(const Context& row, const V& content, const V* rope, const V* alpha_q, const V* alpha_k) const -> V {
  const A& ar = row.ar;
  V score = content;
  const bool unified = problem::norm_traits(row.problem).spans_rope;
  if (unified && rope != nullptr) score = ar.join(score, *rope);  // (13): one statistic scales both parts
  if (alpha_q != nullptr) score = ar.mul(score, *alpha_q);
  if (alpha_k != nullptr) score = ar.mul(score, *alpha_k);
  if (!unified && rope != nullptr) score = ar.join(score, *rope);  // (12)
  return score;
}

template <Arithmetic A>
auto Formula<A>::finish_logit(const Context& row, const V& joined, const V& scale, bool) const -> V {
  const A& ar = row.ar;
  V logit = ar.mul(joined, scale);
  if (!row.problem.softcap.is_zero()) {
    const V cap = ar.constant(row.problem.softcap);
    logit = ar.mul(cap, ar.tanh(ar.div(logit, cap)));
  }
  return ar.store(Stored::logits, logit);
}

template <Arithmetic A>
bool Formula<A>::sink(const Context& row, Index head, V* logit) const {
  if (!row.problem.sink) return false;
  *logit = row.in.at("sink")[head];
  return true;
}

}  // namespace equinorm::paths
