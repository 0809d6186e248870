// Stage `project`: x -> c, k_rope, q_content, q_rope (mla) or q, k, v (gqa). Problems that start at the latent skip it.
#pragma once

#include <algorithm>

#include "paths/formula.hpp"

namespace equinorm::paths {

/// Buffers that a Row points into when the path starts at x.
template <class V>
struct Projected {
  Tensor<V> c, k_rope, q_content, q_rope, q, k, v;
};

/// out[n, w_out] = x[n, w_in] weight[w_in, w_out].
template <Arithmetic A>
Tensor<typename A::Value> project_rows(const A& ar, const typename A::Value* x, Index n, const Tensor<typename A::Value>& weight) {
  Tensor<typename A::Value> out({n, weight.dim(1)});
  ar.matmul(n, weight.dim(1), weight.dim(0), x, weight.dim(0), weight.data(), weight.dim(1), out.data(), weight.dim(1), false);
  return out;
}

/// Latent RMSNorm in place: z gamma / sqrt(mean z^2 + eps) per row.
template <Arithmetic A>
void normalise_latent(const Row<A>& row, Tensor<typename A::Value>& z, const Tensor<typename A::Value>& gamma) {
  using V = typename A::Value;
  const A& ar = row.ar;
  const Index width = z.dim(1);
  for (Index i = 0; i < z.dim(0); ++i) {
    V* values = z.row(i);
    const V mean = ar.div(ar.sum_of_squares(values, width), ar.integer(width));
    const V alpha = ar.rsqrt(ar.add(mean, ar.constant(row.problem.norm.eps)));
    for (Index j = 0; j < width; ++j) values[j] = ar.mul(ar.mul(values[j], alpha), gamma[j]);
  }
}

/// The hidden states of the row's queries: its last S tokens; zero where a query falls before the first token (it then sees nothing).
template <class A>
std::vector<typename A::Value> query_hidden_states(const Row<A>& row) {
  using V = typename A::Value;
  const Index width = row.problem.model_dim;
  std::vector<V> x(static_cast<std::size_t>(row.problem.queries * width));
  for (Index s = 0; s < row.problem.queries; ++s) {
    const Index t = row.problem.query_position(row.b, s);
    if (t < 0) continue;
    const V* source = row.in.at("x").row(row.b, t);
    std::copy(source, source + width, x.begin() + s * width);
  }
  return x;
}

template <Arithmetic A>
void project_mla(Row<A>& row, Projected<typename A::Value>& out) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  const A& ar = row.ar;
  const V* x = row.in.at("x").row(row.b);
  out.c = project_rows(ar, x, row.tokens, row.in.at("w_dkv"));
  if (pb.norm.latent_norm) normalise_latent(row, out.c, row.in.at("gamma_kv_latent"));
  if (pb.rope_dim > 0) out.k_rope = project_rows(ar, x, row.tokens, row.in.at("w_kr"));
  const std::vector<V> x_query = query_hidden_states(row);
  Tensor<V> query;
  if (pb.query_latent > 0) {
    Tensor<V> latent = project_rows(ar, x_query.data(), pb.queries, row.in.at("w_dq"));
    if (pb.norm.latent_norm) normalise_latent(row, latent, row.in.at("gamma_q_latent"));
    query = project_rows(ar, latent.data(), pb.queries, row.in.at("w_uq"));
  } else {
    query = project_rows(ar, x_query.data(), pb.queries, row.in.at("w_uq"));
  }
  out.q_content = Tensor<V>({pb.queries, pb.heads, pb.content_dim});
  out.q_rope = Tensor<V>({pb.queries, pb.heads, pb.rope_dim});
  for (Index s = 0; s < pb.queries; ++s) {
    for (Index h = 0; h < pb.heads; ++h) {
      const V* source = query.row(s) + h * pb.key_dim();
      std::copy(source, source + pb.content_dim, out.q_content.row(s, h));
      std::copy(source + pb.content_dim, source + pb.key_dim(), out.q_rope.row(s, h));
    }
  }
}

/// Points the row at its inputs, computing them first when the path starts at x.
template <Arithmetic A>
void project(Row<A>& row, Projected<typename A::Value>& out) {
  using V = typename A::Value;
  const problem::Problem& pb = row.problem;
  if (pb.start == problem::Start::x) {
    if (pb.is_mla()) {
      project_mla(row, out);
    } else {
      const V* x = row.in.at("x").row(row.b);
      out.q = project_rows(row.ar, query_hidden_states(row).data(), pb.queries, row.in.at("w_q"));
      out.k = project_rows(row.ar, x, row.tokens, row.in.at("w_k"));
      out.v = project_rows(row.ar, x, row.tokens, row.in.at("w_v"));
    }
    row.c = out.c.data(), row.k_rope = out.k_rope.data(), row.q_content = out.q_content.data(), row.q_rope = out.q_rope.data();
    row.q = out.q.data(), row.k = out.k.data(), row.v = out.v.data();
    return;
  }
  const auto at = [&](const char* name) { return row.in.at(name).row(row.b); };
  if (pb.is_mla()) {
    row.c = at("c"), row.q_content = at("q_content");
    if (pb.rope_dim > 0) row.k_rope = at("k_rope"), row.q_rope = at("q_rope");
  } else {
    row.q = at("q"), row.k = at("k"), row.v = at("v");
  }
}

}  // namespace equinorm::paths
