// Stage `cache_write`: what is kept of each token. Explicit: k_hat. Absorbed: the latent itself, alpha_k and the rotated RoPE key; for gqa
// the deferred form keeps the weighted, rotated key without its normalisation, and alpha_k.
#pragma once

#include "paths/formula.hpp"
#include "problem/norm_traits.hpp"
#include "problem/precision.hpp"

namespace equinorm::paths {

using problem::PathKind;

/// Keys of one group as stage `score` reads them. Transposed, so that a score row is one matrix product over contiguous tokens.
template <class V>
struct GroupKeys {
  Tensor<V> content_t;     ///< [d_c,T] (gqa: [d,T]); empty in the absorbed mla form, whose keys are the latents
  Tensor<V> rope_t;        ///< [d_r,T] of this group; empty where all groups share Row's one
  std::vector<V> alpha_k;  ///< [T]; empty without a norm
};

/// k0 = c W_K (3) of one group, [T,d_c].
template <Arithmetic A>
Tensor<typename A::Value> project_keys(const Row<A>& row, Index g) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  Tensor<V> k0({row.tokens, pb.content_dim});
  const V* w_k = row.in.at("w_k").row(g);
  row.ar.matmul(row.tokens, pb.content_dim, pb.latent, row.c, pb.latent, w_k, pb.content_dim, k0.data(), pb.content_dim, false);
  for (Index i = 0; i < k0.size(); ++i) k0[i] = row.ar.store(Stored::k0, k0[i]);
  return k0;
}

/// The full-width statistic of every token, and before it (mla) all groups' k0, which it needs.
template <Arithmetic A>
void fill_full_width_keys(Row<A>& row, const Formula<A>& formula) {
  const problem::Problem& pb = row.problem;
  const auto fill_alpha = [&] {
    auto alpha = std::make_shared<std::vector<typename A::Value>>();
    for (Index t = 0; t < row.tokens; ++t) alpha->push_back(formula.key_alpha(row, 0, t, pb.is_mla() ? row.k0_all->data() : nullptr));
    row.alpha_all = std::move(alpha);
  };
  if (!pb.is_mla()) return fill_alpha();
  const auto all = std::make_shared<Tensor<typename A::Value>>(tensor::Shape{pb.groups, row.tokens, pb.content_dim});
  for (Index g = 0; g < pb.groups; ++g) {
    const auto k0 = project_keys(row, g);
    std::copy(k0.data(), k0.data() + k0.size(), all->row(g));
  }
  row.k0_all = all;
  fill_alpha();
}

/// The RoPE key of one token: scaled by alpha (null: not), weighted, rotated, stored.
template <Arithmetic A>
void finish_rope_key(const Row<A>& row, const Formula<A>& formula, const std::vector<typename A::Value>& weight,
                     const typename A::Value* alpha, Index t, typename A::Value* out) {
  const Index d_r = row.problem.rope_dim;
  for (Index j = 0; j < d_r; ++j) {
    const auto& raw = row.k_rope[t * d_r + j];
    out[j] = alpha != nullptr ? row.ar.mul(raw, *alpha) : raw;
  }
  formula.weigh_and_rotate(row, Side::key, Block::rope, out, weight.empty() ? nullptr : weight.data(), formula.key_position(row, t));
  for (Index j = 0; j < d_r; ++j) out[j] = row.ar.store(Stored::k_hat, out[j]);
}

/// The RoPE keys that all groups share, [d_r,T]. Unified: weighted and rotated only, since their statistic belongs to a group.
template <Arithmetic A>
Tensor<typename A::Value> shared_rope_keys(const Row<A>& row, const Formula<A>& formula, Tensor<typename A::Value>* kept) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  if (!pb.is_mla() || pb.rope_dim == 0) return {};
  const bool own_statistic = problem::norm_traits(pb).own_rope_statistic;
  const std::vector<V> weight = formula.weights(row, Side::key, Block::rope, 0);
  Tensor<V> rope_t({pb.rope_dim, row.tokens});
  std::vector<V> key(static_cast<std::size_t>(pb.rope_dim));
  for (Index t = 0; t < row.tokens; ++t) {
    V alpha{};
    if (own_statistic) alpha = formula.key_rope_alpha(row, t);
    finish_rope_key(row, formula, weight, own_statistic ? &alpha : nullptr, t, key.data());
    for (Index j = 0; j < pb.rope_dim; ++j) *rope_t.row(j, t) = key[j];
    if (kept != nullptr) std::copy(key.begin(), key.end(), kept->row(row.b, t));
  }
  return rope_t;
}

/// Keys of one gqa group: normalised (explicit), or with the normalisation deferred to the score.
template <Arithmetic A>
void write_gqa_keys(const Row<A>& row, const Formula<A>& formula, PathKind form, Index g, GroupKeys<typename A::Value>& keys,
                    PathOutput<typename A::Value>& out) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  const std::vector<V> weight = formula.weights(row, Side::key, Block::whole, g);
  Tensor<V>* kept = out.find(form == PathKind::explicit_form ? "k_hat" : "k_deferred");
  keys.content_t = Tensor<V>({pb.head_dim, row.tokens});
  std::vector<V> key(static_cast<std::size_t>(pb.head_dim));
  for (Index t = 0; t < row.tokens; ++t) {
    const V* raw = row.k + (t * pb.groups + g) * pb.head_dim;
    const bool normalise = form == PathKind::explicit_form && !keys.alpha_k.empty();
    for (Index j = 0; j < pb.head_dim; ++j) key[j] = normalise ? row.ar.mul(raw[j], keys.alpha_k[t]) : raw[j];
    formula.weigh_and_rotate(row, Side::key, Block::whole, key.data(), weight.empty() ? nullptr : weight.data(),
                             formula.key_position(row, t));
    for (Index j = 0; j < pb.head_dim; ++j) *keys.content_t.row(j, t) = key[j] = row.ar.store(Stored::k_hat, key[j]);
    if (kept != nullptr) std::copy(key.begin(), key.end(), kept->row(row.b, t, g));
  }
}

/// Explicit mla keys (5), unified ones with the group's statistic on the RoPE block too.
template <Arithmetic A>
void write_explicit_mla_keys(const Row<A>& row, const Formula<A>& formula, Index g, const Tensor<typename A::Value>& k0,
                             const Tensor<typename A::Value>& shared_rope_t, GroupKeys<typename A::Value>& keys,
                             PathOutput<typename A::Value>& out) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  const bool unified = problem::norm_traits(pb).spans_rope && pb.rope_dim > 0;
  const std::vector<V> weight = formula.weights(row, Side::key, Block::content, g);
  const std::vector<V> rope_weight = pb.rope_dim > 0 ? formula.weights(row, Side::key, Block::rope, g) : std::vector<V>{};
  Tensor<V>* kept = out.find("k_hat");
  keys.content_t = Tensor<V>({pb.content_dim, row.tokens});
  if (unified) keys.rope_t = Tensor<V>({pb.rope_dim, row.tokens});
  std::vector<V> key(static_cast<std::size_t>(pb.key_dim()));
  for (Index t = 0; t < row.tokens; ++t) {
    const V* alpha = keys.alpha_k.empty() ? nullptr : &keys.alpha_k[t];
    for (Index j = 0; j < pb.content_dim; ++j) key[j] = alpha != nullptr ? row.ar.mul(*k0.row(t, j), *alpha) : *k0.row(t, j);
    formula.weigh_and_rotate(row, Side::key, Block::content, key.data(), weight.empty() ? nullptr : weight.data(),
                             formula.key_position(row, t));
    for (Index j = 0; j < pb.content_dim; ++j) *keys.content_t.row(j, t) = key[j] = row.ar.store(Stored::k_hat, key[j]);
    V* rope = key.data() + pb.content_dim;
    if (unified) {
      finish_rope_key(row, formula, rope_weight, alpha, t, rope);
      for (Index j = 0; j < pb.rope_dim; ++j) *keys.rope_t.row(j, t) = rope[j];
    } else {
      for (Index j = 0; j < pb.rope_dim; ++j) rope[j] = *shared_rope_t.row(j, t);
    }
    if (kept != nullptr) std::copy(key.begin(), key.end(), kept->row(row.b, t, g));
  }
}

/// Everything that stage `score` needs of group g's tokens.
template <Arithmetic A>
GroupKeys<typename A::Value> cache_write(const Row<A>& row, const Formula<A>& formula, PathKind form, Index g,
                                         const Tensor<typename A::Value>& shared_rope_t, PathOutput<typename A::Value>& out) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  GroupKeys<V> keys;
  const bool normed = problem::norm_traits(pb).normed;
  Tensor<V> k0;
  if (pb.is_mla() && (normed || form == PathKind::explicit_form)) {
    if (row.k0_all == nullptr) {
      k0 = project_keys(row, g);
    } else {
      k0 = Tensor<V>({row.tokens, pb.content_dim});
      std::copy(row.k0_all->row(g), row.k0_all->row(g) + k0.size(), k0.data());
    }
  }
  if (normed) {
    keys.alpha_k.resize(static_cast<std::size_t>(row.tokens));
    if (row.alpha_all != nullptr) {
      keys.alpha_k = *row.alpha_all;
    } else {
      for (Index t = 0; t < row.tokens; ++t) keys.alpha_k[t] = formula.key_alpha(row, g, t, k0.data());
    }
    Tensor<V>* kept = out.find("alpha_k");
    const Index column = pb.key_statistics() == 1 ? 0 : g;
    if (kept != nullptr && column == g) {
      for (Index t = 0; t < row.tokens; ++t) *kept->row(row.b, t, column) = keys.alpha_k[t];
    }
  }
  if (!pb.is_mla()) {
    write_gqa_keys(row, formula, form, g, keys, out);
  } else if (form == PathKind::explicit_form) {
    write_explicit_mla_keys(row, formula, g, k0, shared_rope_t, keys, out);
  }
  return keys;
}

}  // namespace equinorm::paths
