#include "oracle/query.hpp"

#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::oracle {
namespace {

using Heads = std::vector<std::vector<Enclosed>>;

std::vector<Enclosed> exact_row(const tensor::AnyTensor& tensor, Index first, Index count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  tensor.read(first, count, values.data());
  std::vector<Enclosed> row;
  for (const double value : values) row.push_back({value, 0, 0});
  return row;
}

Enclosed sum_of_squares(const std::vector<Enclosed>& z, Index begin, Index end) {
  Enclosed sum{0, 0, 0};
  for (Index j = begin; j < end; ++j) sum = add<One>(sum, mul<One>(z[static_cast<std::size_t>(j)], z[static_cast<std::size_t>(j)]));
  return sum;
}

/// (sum over dims [begin, end) of the head, or of all heads, times 1/n + eps)^-1/2.
Enclosed statistic(const Model& model, const Heads& heads, Index h, Index begin, Index end) {
  const bool wide = problem::norm_traits(model.problem).over_all_heads;
  Enclosed sum{0, 0, 0};
  for (Index head = wide ? 0 : h; head <= (wide ? model.problem.heads - 1 : h); ++head) {
    sum = add<One>(sum, sum_of_squares(heads[static_cast<std::size_t>(head)], begin, end));
  }
  const Index count = (end - begin) * (wide ? model.problem.heads : 1);
  return inverse_sqrt<One>(add<One>(mul<One>(sum, model.mean_factor(count)), model.eps));
}

/// Row of the RoPE tables; throws where a query that sees keys has none.
Index table_row(const Model& model, Index b, Index i) {
  const Index row = model.position(Side::query, b, i), rows = model.input("rope_cos").shape()[0];
  const Model::Range seen = model.visible(b, i);
  if (row >= rows || (row < 0 && seen.first < seen.last)) {
    throw Error("oracle: position " + std::to_string(row) + " of query " + std::to_string(i) + " of row " + std::to_string(b) +
                " has no row in the RoPE tables (" + std::to_string(rows) + ")");
  }
  return row;
}

void turn(const Model& model, Index row, std::vector<Enclosed>& rope) {
  const Index pairs = model.problem.rotated_dim() / 2;
  for (Index i = 0; i < pairs; ++i) {
    const double cosine = model.input("rope_cos").at(row * pairs + i), sine = model.input("rope_sin").at(row * pairs + i);
    const Pair pair = rope_pair(model.problem, i);
    Enclosed &x = rope[static_cast<std::size_t>(pair.first)], &y = rope[static_cast<std::size_t>(pair.second)];
    const Enclosed turned = sub<One>(mul<One>(x, cosine), mul<One>(y, sine));
    y = add<One>(mul<One>(x, sine), mul<One>(y, cosine));
    x = turned;
  }
}

/// (9): the weighted dims of a head, [key_dim], times the inverse statistic of their block.
std::vector<Enclosed> normalised(const Model& model, const QueryHead& head, std::vector<Enclosed> weighted) {
  const Index begin = model.layout.rope_begin, end = begin + model.layout.rope;
  for (Index j = 0; model.normed && j < model.problem.key_dim(); ++j) {
    Enclosed& x = weighted[static_cast<std::size_t>(j)];
    x = mul<One>(x, j >= begin && j < end && !model.joint ? head.beta : head.alpha);
  }
  return weighted;
}

/// The content and RoPE blocks of a raw head z: weighted, turned, normalised.
void fill_vectors(const Model& model, Index h, Index row, const std::vector<Enclosed>& z, QueryHead& head) {
  const HeadLayout& layout = model.layout;
  std::vector<Enclosed> content, rope, weighted(z.size());
  for (std::size_t j = 0; j < z.size(); ++j) weighted[j] = mul<One>(z[j], model.weight(Side::query, h, static_cast<Index>(j)));
  for (Index j = 0; j < layout.content; ++j) {
    const Index at = layout.content_dim(j);
    content.push_back(mul<One>(weighted[static_cast<std::size_t>(at)], model.weight(Side::key, model.problem.group_of(h), at)));
  }
  const auto block = weighted.begin() + layout.rope_begin;
  rope.assign(block, block + layout.rope);
  if (row >= 0) turn(model, row, rope);
  head.content = make_row(content);
  head.rope = make_row(rope);
  if (row < 0 && model.problem.rotated_dim() > 0) std::fill(rope.begin(), rope.end(), Enclosed{0, 0, 0});
  std::copy(rope.begin(), rope.end(), block);
  head.hat = normalised(model, head, std::move(weighted));
}

}  // namespace

QueryProjection::QueryProjection(const Model& model) {
  const Problem& p = model.problem;
  if (!model.from_x()) return;
  const Index width = p.heads * p.key_dim();
  const bool latent = p.is_mla() && p.query_latent > 0;
  if (latent) down_ = read_matrix(model.input("w_dq"), 0, p.model_dim, p.query_latent, p.query_latent);
  up_ = read_matrix(model.input(p.is_mla() ? "w_uq" : "w_q"), 0, latent ? p.query_latent : p.model_dim, width, width);
  if (latent && p.norm.latent_norm) {
    gamma_.resize(static_cast<std::size_t>(p.query_latent));
    model.input("gamma_q_latent").read(0, p.query_latent, gamma_.data());
  }
}

Heads QueryProjection::raw(const Model& model, Index b, Index i) const {
  const Problem& p = model.problem;
  Heads heads(static_cast<std::size_t>(p.heads));
  if (model.from_x()) {
    std::vector<Enclosed> row = exact_row(model.input("x"), (b * p.max_context() + p.query_position(b, i)) * p.model_dim, p.model_dim);
    if (down_.rows > 0) row = times(make_row(row), down_);
    if (!gamma_.empty()) row = normalise_latent(model, row, gamma_);
    const std::vector<Enclosed> all = times(make_row(row), up_);
    for (Index h = 0; h < p.heads; ++h) {
      heads[static_cast<std::size_t>(h)].assign(all.begin() + h * p.key_dim(), all.begin() + (h + 1) * p.key_dim());
    }
    return heads;
  }
  for (Index h = 0; h < p.heads; ++h) {
    const Index place = (b * p.queries + i) * p.heads + h;
    std::vector<Enclosed>& head = heads[static_cast<std::size_t>(h)];
    if (!p.is_mla()) {
      head = exact_row(model.input("q"), place * p.head_dim, p.head_dim);
      continue;
    }
    head = exact_row(model.input("q_content"), place * p.content_dim, p.content_dim);
    if (p.rope_dim == 0) continue;
    const std::vector<Enclosed> rope = exact_row(model.input("q_rope"), place * p.rope_dim, p.rope_dim);
    head.insert(head.end(), rope.begin(), rope.end());
  }
  return heads;
}

std::vector<QueryHead> make_query(const Model& model, const QueryProjection& projection, Index b, Index i) {
  const Problem& p = model.problem;
  const Heads heads = projection.raw(model, b, i);
  const Index row = p.rotated_dim() > 0 ? table_row(model, b, i) : -1;
  std::vector<QueryHead> result;
  for (Index h = 0; h < p.heads; ++h) {
    const std::vector<Enclosed>& z = heads[static_cast<std::size_t>(h)];
    QueryHead head{{}, {}, {}, {1, 0, 0}, {1, 0, 0}, {}};
    if (h > 0 && problem::norm_traits(p).over_all_heads) {
      head.alpha = result.front().alpha;
      head.beta = result.front().beta;
    } else if (model.normed) {
      head.alpha = statistic(model, heads, h, 0, model.joint ? p.key_dim() : p.content_dim);
      if (problem::norm_traits(p).own_rope_statistic && p.rope_dim > 0) head.beta = statistic(model, heads, h, p.content_dim, p.key_dim());
    }
    fill_vectors(model, h, row, z, head);
    head.score = {mul<One>(model.scale, head.alpha), mul<One>(model.scale, head.beta), model.joint};
    result.push_back(std::move(head));
  }
  return result;
}

}  // namespace equinorm::oracle
