#include <algorithm>
#include <functional>

#include "bounds/bound_run.hpp"

namespace equinorm::bounds {
namespace {

/// Row i of x: how far the kernel is from binary64, and that from the exact row.
void keep(const Vectors& x, const Vectors& own, Index i, double* to) {
  for (Index j = 0; j < x.width(); ++j) to[j] = x.error(i, j) + own.error(i, j);
  raise(x.value.row(i), x.width(), to);
}

double q_tilde_error(const Setting& at, const Queries& queries, Index i, Index k) {
  const double rho = at.folds_alpha_q() ? queries.rho[static_cast<std::size_t>(i)] : 0;
  const double value = queries.q_tilde.row(i)[k], moved = queries.q_tilde_moved.row(i)[k];
  return moved + rho * (std::fabs(value) + moved) + queries.q_tilde_radius.row(i)[k];
}

}  // namespace

void raise(const double* value, Index width, double* bound) {
  double most = 0;
  for (Index j = 0; j < width; ++j) most = std::max(most, std::fabs(value[j]));
  for (Index j = 0; j < width; ++j) bound[j] += kKnown * most + kDecidable;
}

void BoundRun::keep_rope(const RowKeys& row, const RowKeys& own) {
  for (Index t = 0; t < row.tokens; ++t) keep(row.rope, own.rope, t, find("k_rope_cached")->row(row.b, row.first + t));
}

void BoundRun::keep_keys(const KeyBlock& block, Index g) {
  const RowKeys& row = *block.row;
  const GroupKeys &keys = block.keys, &own = block.same;
  const Index column = pb_.key_statistics() == 1 ? 0 : g;
  if (Tensor<double>* kept = find("alpha_k"); kept != nullptr && column == g) {
    for (Index t = 0; t < row.tokens; ++t) {
      *kept->row(row.b, row.first + t, g) = keys.alpha[t] * keys.rho[t] + own.alpha[t] * own.rho[t];
    }
  }
  if (Tensor<double>* kept = find(at_.absorbed() ? "k_deferred" : "k_hat")) {
    for (Index t = 0; t < row.tokens; ++t) {
      double* to = kept->row(row.b, row.first + t, g);
      keep(keys.content, own.content, t, to);
      if (!pb_.is_mla() || pb_.rope_dim == 0) continue;
      const bool of_group = !keys.rope.value.empty();
      keep(of_group ? keys.rope : row.rope, of_group ? own.rope : block.own_row->rope, t, to + pb_.content_dim);
    }
  }
}

void BoundRun::keep_queries(const Row& row, const Chunk& chunk, const Queries& queries) {
  const Index b = row.b;
  RowKeys own_of;
  own_of.sources = &row.own_sources.queries(), own_of.b = b;
  const Queries own = make_queries(same_, in_, own_of, chunk.g, chunk.rows);
  for (std::size_t n = 0; n < chunk.rows.size(); ++n) {
    const auto [s, h] = chunk.rows[n];
    const Index i = static_cast<Index>(n);
    if (Tensor<double>* kept = find("alpha_q")) *kept->row(b, s, h) = queries.alpha[n] * queries.rho[n] + own.alpha[n] * own.rho[n];
    if (Tensor<double>* kept = find("q_hat")) {
      keep(queries.content, own.content, i, kept->row(b, s, h));
      if (!queries.rope.value.empty()) keep(queries.rope, own.rope, i, kept->row(b, s, h) + pb_.content_dim);
    }
    if (Tensor<double>* kept = find("q_rope_hat")) keep(queries.rope, own.rope, i, kept->row(b, s, h));
    // A query before the first token sees nothing; what its rotated block holds is nobody's business.
    if (pb_.rotated_dim() > 0 && *in_.positions_q.row(b, s) < 0) {
      if (Tensor<double>* kept = find("q_hat")) std::fill_n(kept->row(b, s, h), pb_.key_dim(), kInfinity);
      if (Tensor<double>* kept = find("q_rope_hat")) std::fill_n(kept->row(b, s, h), pb_.rope_dim, kInfinity);
    }
    if (Tensor<double>* kept = find("q_tilde")) {
      for (Index k = 0; k < pb_.latent; ++k) kept->row(b, s, h)[k] = q_tilde_error(at_, queries, i, k) + q_tilde_error(same_, own, i, k);
      raise(queries.q_tilde.row(i), pb_.latent, kept->row(b, s, h));
    }
  }
}

void BoundRun::keep_scores(const Row& row, const Scores& scores, const RowWeights& weights, Index i, const QueryIndex& at_query) {
  if (Tensor<double>* kept = find("logits")) {
    const double *radius = scores.radius.row(i), *own = scores.own.row(i);
    std::transform(radius, radius + scores.logit.dim(1), own, kept->row(row.b, at_query.h, at_query.s), std::plus<>());
  }
  if (Tensor<double>* kept = find(kUnsharedLogits))
    std::copy_n(scores.unshared.row(i), scores.logit.dim(1), kept->row(row.b, at_query.h, at_query.s));
  if (Tensor<double>* kept = find("lse")) *kept->row(row.b, at_query.h, at_query.s) = weights.live ? weights.lse_radius : 0;
  if (Tensor<double>* kept = find("p"); kept != nullptr && weights.live) {
    std::copy(weights.p_radius.begin(), weights.p_radius.end(), kept->row(row.b, at_query.h, at_query.s));
  }
}

}  // namespace equinorm::bounds
