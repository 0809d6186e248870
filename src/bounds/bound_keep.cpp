#include <algorithm>

#include "bounds/bound_run.hpp"

namespace equinorm::bounds {
namespace {

void keep(const Vectors& x, Index i, double* to) {
  for (Index j = 0; j < x.width(); ++j) to[j] = x.error(i, j);
  raise(x.value.row(i), x.width(), to);
}

}  // namespace

void raise(const double* value, Index width, double* bound) {
  double most = 0;
  for (Index j = 0; j < width; ++j) most = std::max(most, std::fabs(value[j]));
  for (Index j = 0; j < width; ++j) bound[j] += kKnown * most + kDecidable;
}

void BoundRun::keep_rope(const RowKeys& row) {
  for (Index t = 0; t < row.tokens; ++t) keep(row.rope, t, find("k_rope_cached")->row(row.b, row.first + t));
}

void BoundRun::keep_keys(const RowKeys& row, const GroupKeys& keys, Index g) {
  const Index column = pb_.key_statistics() == 1 ? 0 : g;
  if (Tensor<double>* kept = find("alpha_k"); kept != nullptr && column == g) {
    for (Index t = 0; t < row.tokens; ++t) *kept->row(row.b, row.first + t, g) = keys.alpha[t] * keys.rho[t];
  }
  if (Tensor<double>* kept = find(at_.absorbed() ? "k_deferred" : "k_hat")) {
    for (Index t = 0; t < row.tokens; ++t) {
      keep(keys.content, t, kept->row(row.b, row.first + t, g));
      if (!pb_.is_mla() || pb_.rope_dim == 0) continue;
      const bool own = !keys.rope.value.empty();
      keep(own ? keys.rope : row.rope, t, kept->row(row.b, row.first + t, g) + pb_.content_dim);
    }
  }
}

void BoundRun::keep_queries(Index b, const Queries& queries, const std::vector<QueryIndex>& rows) {
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const auto [s, h] = rows[n];
    const Index i = static_cast<Index>(n);
    if (Tensor<double>* kept = find("alpha_q")) *kept->row(b, s, h) = queries.alpha[n] * queries.rho[n];
    if (Tensor<double>* kept = find("q_hat")) {
      keep(queries.content, i, kept->row(b, s, h));
      if (!queries.rope.value.empty()) keep(queries.rope, i, kept->row(b, s, h) + pb_.content_dim);
    }
    if (Tensor<double>* kept = find("q_rope_hat")) keep(queries.rope, i, kept->row(b, s, h));
    // A query before the first token sees nothing; what its rotated block holds is nobody's business.
    if (pb_.rotated_dim() > 0 && *in_.positions_q.row(b, s) < 0) {
      if (Tensor<double>* kept = find("q_hat")) std::fill_n(kept->row(b, s, h), pb_.key_dim(), kInfinity);
      if (Tensor<double>* kept = find("q_rope_hat")) std::fill_n(kept->row(b, s, h), pb_.rope_dim, kInfinity);
    }
    if (Tensor<double>* kept = find("q_tilde")) {
      const double rho = at_.folds_alpha_q() ? queries.rho[n] : 0;
      for (Index k = 0; k < pb_.latent; ++k) {
        const double value = queries.q_tilde.row(i)[k], moved = queries.q_tilde_moved.row(i)[k];
        kept->row(b, s, h)[k] = moved + rho * (std::fabs(value) + moved) + queries.q_tilde_radius.row(i)[k];
      }
      raise(queries.q_tilde.row(i), pb_.latent, kept->row(b, s, h));
    }
  }
}

void BoundRun::keep_scores(const Row& row, const Scores& scores, const RowWeights& weights, Index i, const QueryIndex& at_query) {
  if (Tensor<double>* kept = find("logits"))
    std::copy_n(scores.radius.row(i), scores.logit.dim(1), kept->row(row.b, at_query.h, at_query.s));
  if (Tensor<double>* kept = find(kUnsharedLogits))
    std::copy_n(scores.unshared.row(i), scores.logit.dim(1), kept->row(row.b, at_query.h, at_query.s));
  if (Tensor<double>* kept = find("lse")) *kept->row(row.b, at_query.h, at_query.s) = weights.live ? weights.lse_radius : 0;
  if (Tensor<double>* kept = find("p"); kept != nullptr && weights.live) {
    std::copy(weights.p_radius.begin(), weights.p_radius.end(), kept->row(row.b, at_query.h, at_query.s));
  }
}

}  // namespace equinorm::bounds
