#include "bounds/sources.hpp"

#include <algorithm>

namespace equinorm::bounds {
namespace {

Vectors exact_rows(const double* data, Index rows, Index width) {
  Vectors out = make_vectors(rows, width);
  std::copy(data, data + rows * width, out.value.data());
  return out;
}

/// Latent RMSNorm of every row: z gamma / sqrt(mean z^2 + eps).
void normalise_latent(const Setting& at, Vectors& z, const Tensor<double>& gamma) {
  Weights weight{{gamma.data(), gamma.data() + gamma.size()}, std::vector<double>(static_cast<std::size_t>(gamma.size()))};
  const StatisticArithmetic how{at.sums, 1.0 / static_cast<double>(z.width()), at.eps, at.e_rsqrt};
  for (Index i = 0; i < z.rows(); ++i) {
    SquareSums sums;
    for (Index j = 0; j < z.width(); ++j) sums.add(z.value.row(i)[j], z.radius.row(i)[j]);
    const Statistic alpha = statistic(how, sums);
    Finish finish;
    finish.alpha = alpha.alpha, finish.rho = alpha.rho, finish.scaled = true, finish.weight = &weight, finish.unstored = true;
    finish_row(at, finish, z, i);
  }
  spread_factor(z);
}

/// The hidden states of the last S tokens; 0 where a query falls before the first one.
Vectors query_states(const Setting& at, const paths::PathInputs<double>& in, Index b) {
  const problem::Problem& pb = at.problem;
  Vectors x = make_vectors(pb.queries, pb.model_dim);
  for (Index s = 0; s < pb.queries; ++s) {
    const Index t = pb.query_position(b, s);
    if (t < 0) continue;
    const double* source = in.at("x").row(b, t);
    std::copy(source, source + pb.model_dim, x.value.row(s));
  }
  return x;
}

/// Columns [first, first + width) of each head's stretch, as rows [S*H,width].
Vectors head_rows(const Vectors& query, Index heads, Index stretch, Index first, Index width) {
  Vectors out = make_vectors(query.rows() * heads, width);
  for (Index s = 0; s < query.rows(); ++s) {
    for (Index h = 0; h < heads; ++h) {
      const Index from = h * stretch + first;
      std::copy_n(query.value.row(s) + from, width, out.value.row(s * heads + h));
      std::copy_n(query.radius.row(s) + from, width, out.radius.row(s * heads + h));
    }
  }
  return out;
}

Vectors reshaped(Vectors x, Index parts) {
  const Index rows = x.rows() * parts, width = x.width() / parts;
  Vectors out = make_vectors(rows, width);
  std::copy(x.value.data(), x.value.data() + x.value.size(), out.value.data());
  std::copy(x.radius.data(), x.radius.data() + x.radius.size(), out.radius.data());
  return out;
}

Sources project(const Setting& at, const paths::PathInputs<double>& in, Index b) {
  const problem::Problem& pb = at.problem;
  const auto product = [&](const Vectors& x, const char* weight) {
    const Tensor<double>& w = in.at(weight);
    return multiply_bounded(at, x, w.data(), w.dim(1));
  };
  const Vectors x = exact_rows(in.at("x").row(b), pb.context_of(b), pb.model_dim);
  const Vectors x_query = query_states(at, in, b);
  Sources out;
  if (!pb.is_mla()) {
    out.q_content = reshaped(product(x_query, "w_q"), pb.heads);
    out.k = reshaped(product(x, "w_k"), pb.groups);
    out.v = reshaped(product(x, "w_v"), pb.groups);
    return out;
  }
  out.c = product(x, "w_dkv");
  if (pb.norm.latent_norm) normalise_latent(at, out.c, in.at("gamma_kv_latent"));
  if (pb.rope_dim > 0) out.k_rope = product(x, "w_kr");
  Vectors query;
  if (pb.query_latent > 0) {
    Vectors latent = product(x_query, "w_dq");
    if (pb.norm.latent_norm) normalise_latent(at, latent, in.at("gamma_q_latent"));
    query = product(latent, "w_uq");
  } else {
    query = product(x_query, "w_uq");
  }
  out.q_content = head_rows(query, pb.heads, pb.key_dim(), 0, pb.content_dim);
  if (pb.rope_dim > 0) out.q_rope = head_rows(query, pb.heads, pb.key_dim(), pb.content_dim, pb.rope_dim);
  return out;
}

/// The queries of a problem that starts at the latent.
Sources given_queries(const problem::Problem& pb, const paths::PathInputs<double>& in, Index b) {
  const Index rows = pb.queries * pb.heads;
  Sources out;
  if (!pb.is_mla()) {
    out.q_content = exact_rows(in.at("q").row(b), rows, pb.head_dim);
    return out;
  }
  out.q_content = exact_rows(in.at("q_content").row(b), rows, pb.content_dim);
  if (pb.rope_dim > 0) out.q_rope = exact_rows(in.at("q_rope").row(b), rows, pb.rope_dim);
  return out;
}

/// Its tokens.
Sources given_tokens(const problem::Problem& pb, const paths::PathInputs<double>& in, Index b, Tokens tokens) {
  const Index first = tokens.first, rows = tokens.count;
  Sources out;
  if (!pb.is_mla()) {
    out.k = exact_rows(in.at("k").row(b, first), rows * pb.groups, pb.head_dim);
    return out;
  }
  out.c = exact_rows(in.at("c").row(b, first), rows, pb.latent);
  if (pb.rope_dim > 0) out.k_rope = exact_rows(in.at("k_rope").row(b, first), rows, pb.rope_dim);
  return out;
}

/// Rows [first, first + count) of x; empty where x is.
Vectors some_rows(const Vectors& x, Index first, Index count) {
  if (x.value.empty()) return {};
  Vectors out = make_vectors(count, x.width());
  std::copy_n(x.value.row(first), count * x.width(), out.value.data());
  std::copy_n(x.radius.row(first), count * x.width(), out.radius.data());
  return out;
}

}  // namespace

Sources make_sources(const Setting& at, const paths::PathInputs<double>& in, Index b) {
  const problem::Problem& pb = at.problem;
  if (pb.start == problem::Start::x) return project(at, in, b);
  Sources out = given_tokens(pb, in, b, {0, pb.context_of(b)}), queries = given_queries(pb, in, b);
  out.q_content = std::move(queries.q_content), out.q_rope = std::move(queries.q_rope);
  if (!pb.is_mla()) out.v = exact_rows(in.at("v").row(b), pb.context_of(b) * pb.groups, pb.value_dim);
  return out;
}

std::vector<Tokens> token_blocks(Index tokens, Index most) {
  std::vector<Tokens> blocks;
  for (Index first = 0; first < tokens; first += most) blocks.push_back({first, std::min(most, tokens - first)});
  if (blocks.empty()) blocks.push_back({});
  return blocks;
}

RowSources::RowSources(const Setting& at, const paths::PathInputs<double>& in, Index b)
    : problem_(at.problem),
      in_(in),
      b_(b),
      kept_(at.problem.start == problem::Start::x ? project(at, in, b) : given_queries(at.problem, in, b)),
      inexact_(has_radius(kept_.c.radius)) {}

Sources RowSources::of(Tokens tokens) const {
  if (problem_.start != problem::Start::x) return given_tokens(problem_, in_, b_, tokens);
  const Index first = tokens.first, count = tokens.count, groups = problem_.groups;
  Sources out;
  out.c = some_rows(kept_.c, first, count), out.k_rope = some_rows(kept_.k_rope, first, count);
  out.k = some_rows(kept_.k, first * groups, count * groups);
  return out;
}

Vectors RowSources::values(Index group) const {
  const bool projected = problem_.start == problem::Start::x;
  const Index groups = problem_.groups, width = problem_.value_dim;
  const double* value = projected ? kept_.v.value.data() : in_.at("v").row(b_);
  Vectors out = make_vectors(tokens(), width);
  for (Index t = 0; t < tokens(); ++t) {
    std::copy_n(value + (t * groups + group) * width, width, out.value.row(t));
    if (projected) std::copy_n(kept_.v.radius.row(t * groups + group), width, out.radius.row(t));
  }
  return out;
}

const double* RowSources::latents() const { return problem_.start == problem::Start::x ? kept_.c.value.data() : in_.at("c").row(b_); }
const double* RowSources::latent_radii() const { return inexact_ ? kept_.c.radius.data() : nullptr; }

}  // namespace equinorm::bounds
