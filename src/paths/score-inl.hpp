// Stage `score`: logits of some query rows of one group against every token.
#pragma once

#include "paths/cache_write-inl.hpp"
#include "paths/query-inl.hpp"

namespace equinorm::paths {

/// Logits and which of them count, both [rows,T].
template <class V>
struct Scores {
  Tensor<V> logits;
  Tensor<std::uint8_t> live;
};

/// l = cap(scale (content + rope)). `latents_t` is c transposed, [r,T]: the keys of the absorbed mla form.
template <Arithmetic A>
Scores<typename A::Value> score(const Row<A>& row, const Formula<A>& formula, PathKind form, const GroupKeys<typename A::Value>& keys,
                                const Tensor<typename A::Value>& shared_rope_t, const Tensor<typename A::Value>& latents_t,
                                const Queries<typename A::Value>& queries, const std::vector<QueryIndex>& rows) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  const Index n = static_cast<Index>(rows.size()), tokens = row.tokens, width = queries.content.dim(1);
  Scores<V> scores{Tensor<V>({n, tokens}), Tensor<std::uint8_t>({n, tokens})};
  const Tensor<V>& content_t = keys.content_t.empty() ? latents_t : keys.content_t;
  row.ar.matmul(n, tokens, width, queries.content.data(), width, content_t.data(), tokens, scores.logits.data(), tokens, false);
  Tensor<V> rope;
  const bool has_rope = pb.is_mla() && pb.rope_dim > 0;
  if (has_rope) {
    const Tensor<V>& rope_t = keys.rope_t.empty() ? shared_rope_t : keys.rope_t;
    rope = Tensor<V>({n, tokens});
    row.ar.matmul(n, tokens, pb.rope_dim, queries.rope.data(), pb.rope_dim, rope_t.data(), tokens, rope.data(), tokens, false);
  }
  const bool deferred = form == PathKind::absorbed_form && !keys.alpha_k.empty();
  const V scale = formula.scale(row);
  for (Index i = 0; i < n; ++i) {
    const V* alpha_q = queries.alpha_q.empty() ? nullptr : &queries.alpha_q[static_cast<std::size_t>(i)];
    for (Index t = 0; t < tokens; ++t) {
      const bool live = formula.sees(row, rows[static_cast<std::size_t>(i)].s, t);
      V& logit = *scores.logits.row(i, t);
      logit = formula.finish_logit(
          row, formula.join_scores(row, logit, has_rope ? rope.row(i, t) : nullptr, alpha_q, deferred ? &keys.alpha_k[t] : nullptr), scale,
          live);
      *scores.live.row(i, t) = formula.enters_softmax(row, live) ? 1 : 0;
      if (!formula.enters_softmax(row, live)) logit = V{};
    }
  }
  return scores;
}

}  // namespace equinorm::paths
