// Stage `query`: explicit q_hat (9); absorbed q_tilde (10).
#pragma once

#include "paths/cache_write-inl.hpp"
#include "paths/formula.hpp"

namespace equinorm::paths {

/// One output row of the score matrix of a group.
struct QueryIndex {
  Index s;
  Index h;
};

/// Queries of one group as stage `score` reads them.
template <class V>
struct Queries {
  Tensor<V> content;       ///< [rows, d_c] explicit, [rows, r] absorbed, [rows, d] gqa
  Tensor<V> rope;          ///< [rows, d_r]
  std::vector<V> alpha_q;  ///< [rows]; empty when already inside content and rope, or without a norm
};

template <Arithmetic A>
class QueryStage {
 public:
  using V = typename A::Value;

  QueryStage(const Row<A>& row, const Formula<A>& formula, PathKind form, Index g, PathOutput<V>& out)
      : row_(row), formula_(formula), form_(form), g_(g), out_(out) {}

  Queries<V> run(const std::vector<QueryIndex>& rows) {
    const problem::Problem& pb = row_.problem;
    const Index count = static_cast<Index>(rows.size());
    const bool absorbed_mla = pb.is_mla() && form_ == PathKind::absorbed_form;
    Queries<V> queries;
    queries.content = Tensor<V>({count, absorbed_mla ? pb.latent : pb.is_mla() ? pb.content_dim : pb.head_dim});
    if (pb.is_mla() && pb.rope_dim > 0) queries.rope = Tensor<V>({count, pb.rope_dim});
    if (normed() && !folded()) queries.alpha_q.resize(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) {
      const QueryIndex& at = rows[static_cast<std::size_t>(i)];
      const Index s = formula_.query_row(row_, at.s);
      const Index h = formula_.query_head(row_, at.h);
      V alpha{};
      if (normed()) alpha = formula_.query_alpha(row_, s, h);
      if (Tensor<V>* kept = out_.find("alpha_q"); kept != nullptr && normed()) *kept->row(row_.b, at.s, at.h) = alpha;
      const V* inside = normed() && folded() ? &alpha : nullptr;
      if (absorbed_mla) {
        absorb_factors(s, h, at.h, inside, i);
      } else {
        finish_block(pb.is_mla() ? Block::content : Block::whole, s, h, at, inside, queries.content.row(i));
      }
      if (queries.rope.size() > 0) finish_rope(s, h, at, inside, queries.rope.row(i));
      if (!queries.alpha_q.empty()) queries.alpha_q[static_cast<std::size_t>(i)] = alpha;
    }
    if (absorbed_mla) absorb(rows, queries.content);
    return queries;
  }

 private:
  bool normed() const { return problem::norm_traits(row_.problem).normed; }
  /// The explicit form always normalises its queries; the others may leave alpha_q to the score tile.
  bool folded() const { return form_ == PathKind::explicit_form || row_.plan.fold_alpha_q; }

  const std::vector<V>& weights(Side side, Block block, Index h) {
    const Index owner = side == Side::query ? h : g_;
    auto [entry, fresh] = weights_.try_emplace(std::make_tuple(side, block, owner));
    if (fresh) entry->second = formula_.weights(row_, side, block, owner);
    return entry->second;
  }

  void finish_block(Block block, Index s, Index h, const QueryIndex& at, const V* alpha, V* out) {
    const problem::Problem& pb = row_.problem;
    const Index width = block == Block::content ? pb.content_dim : pb.head_dim;
    const V* raw = (block == Block::content ? row_.q_content : row_.q) + (s * pb.heads + h) * width;
    finish(block, raw, width, at, alpha, out);
    if (Tensor<V>* kept = out_.find("q_hat")) std::copy(out, out + width, kept->row(row_.b, at.s, at.h));
  }

  void finish_rope(Index s, Index h, const QueryIndex& at, const V* alpha, V* out) {
    const problem::Problem& pb = row_.problem;
    const Index d_r = pb.rope_dim;
    const problem::NormTraits norm = problem::norm_traits(pb);
    V own{};
    if (norm.own_rope_statistic) own = formula_.query_rope_alpha(row_, s, h);
    const V* const scaling = norm.own_rope_statistic ? &own : norm.spans_rope ? alpha : nullptr;
    finish(Block::rope, row_.q_rope + (s * pb.heads + h) * d_r, d_r, at, scaling, out);
    if (Tensor<V>* kept = out_.find("q_rope_hat")) std::copy(out, out + d_r, kept->row(row_.b, at.s, at.h));
    if (Tensor<V>* kept = out_.find("q_hat")) std::copy(out, out + d_r, kept->row(row_.b, at.s, at.h) + pb.content_dim);
  }

  void finish(Block block, const V* raw, Index width, const QueryIndex& at, const V* alpha, V* out) {
    for (Index j = 0; j < width; ++j) out[j] = alpha != nullptr ? row_.ar.mul(raw[j], *alpha) : raw[j];
    const std::vector<V>& weight = weights(Side::query, block, at.h);
    const Index position = *row_.in.positions_q.row(row_.b, at.s);
    formula_.weigh_and_rotate(row_, Side::query, block, out, weight.empty() ? nullptr : weight.data(), position);
    for (Index j = 0; j < width; ++j) out[j] = row_.ar.store(Stored::q_hat, out[j]);
  }

  /// g = q gamma_q gamma_k [alpha_q], one row of factors_.
  void absorb_factors(Index s, Index h, Index output_head, const V* alpha, Index i) {
    const problem::Problem& pb = row_.problem;
    const Index d_c = pb.content_dim;
    if (static_cast<Index>(factors_.size()) < (i + 1) * d_c) factors_.resize(static_cast<std::size_t>((i + 1) * d_c));
    const std::vector<V>& gamma_q = weights(Side::query, Block::content, output_head);
    const std::vector<V>& gamma_k = weights(Side::key, Block::content, output_head);
    for (Index j = 0; j < d_c; ++j) {
      V factor = row_.q_content[(s * pb.heads + h) * d_c + j];
      if (!gamma_q.empty()) factor = row_.ar.mul(factor, gamma_q[j]);
      if (!gamma_k.empty()) factor = row_.ar.mul(factor, gamma_k[j]);
      if (alpha != nullptr) factor = row_.ar.mul(factor, *alpha);
      factors_[static_cast<std::size_t>(i * d_c + j)] = row_.ar.store(Stored::g, factor);
    }
  }

  /// q_tilde = g W_K^T (10), computed as W_K g^T so that the reduction runs over d_c for all rows at once.
  void absorb(const std::vector<QueryIndex>& rows, Tensor<V>& q_tilde) {
    const problem::Problem& pb = row_.problem;
    const Index d_c = pb.content_dim, r = pb.latent, count = static_cast<Index>(rows.size());
    std::vector<V> factors_t(factors_.size());
    for (Index i = 0; i < count; ++i) {
      for (Index j = 0; j < d_c; ++j) factors_t[static_cast<std::size_t>(j * count + i)] = factors_[static_cast<std::size_t>(i * d_c + j)];
    }
    Tensor<V> product({r, count});
    row_.ar.matmul(r, count, d_c, row_.in.at("w_k").row(g_), d_c, factors_t.data(), count, product.data(), count, false);
    Tensor<V>* kept = folded() && normed() ? nullptr : out_.find("q_tilde");  // by definition without alpha_q
    for (Index i = 0; i < count; ++i) {
      for (Index k = 0; k < r; ++k) *q_tilde.row(i, k) = row_.ar.store(Stored::q_tilde, *product.row(k, i));
      const QueryIndex& at = rows[static_cast<std::size_t>(i)];
      if (kept != nullptr) std::copy(q_tilde.row(i), q_tilde.row(i) + r, kept->row(row_.b, at.s, at.h));
    }
  }

  const Row<A>& row_;
  const Formula<A>& formula_;
  PathKind form_;
  Index g_;
  PathOutput<V>& out_;
  std::vector<V> factors_;
  std::map<std::tuple<Side, Block, Index>, std::vector<V>> weights_;
};

}  // namespace equinorm::paths
