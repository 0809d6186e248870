#include <algorithm>

#include "bounds/bound_run.hpp"
#include "bounds/linear.hpp"

namespace equinorm::bounds {

/// Bounds of o.
void BoundRun::keep_average(const Row& row, const Chunk& chunk, const std::vector<RowWeights>& weights, const AverageBound& average,
                            const Tensor<double>& expanded) {
  const std::vector<QueryIndex>& rows = chunk.rows;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const Index i = static_cast<Index>(n);
    double* to = o_.row(row.b, rows[n].s) + rows[n].h * pb_.value_dim;
    double* kept = find("o")->row(row.b, rows[n].s, rows[n].h);
    for (Index j = 0; j < pb_.value_dim && weights[n].live; ++j) {
      const double value = average.mean.row(i)[j];
      double bound = at_.absorbed_mla() ? expanded.row(i)[j] : average.total(at_, i, j);
      if (at_.absorbed_mla() && !is_given("u")) bound += average.weights.row(i)[j] + average.stored_p.row(i)[j];
      bound += at_.store_near(Stored::o, value, bound);
      const Index flat = ((row.b * pb_.queries + rows[n].s) * pb_.heads + rows[n].h) * pb_.value_dim + j;
      to[j] = value, kept[j] = is_given("o") ? given_->radius("o", flat, value) : bound;
    }
    if (weights[n].live) raise(to, pb_.value_dim, kept);
  }
}

/// The absorbed form's own roundings, made in the space of the latents and carried through |W_V|; keeps the bound of u on the way.
Tensor<double> BoundRun::latent_part(const Row& row, const Chunk& chunk, const Scores& scores, const std::vector<RowWeights>& weights) {
  const std::vector<double> lost = column_maxima(row.own_sources.latent_radii(), row.sources.tokens(), pb_.latent);
  const ValueView latents(row.sources.latents(), row.sources.latent_radii(), lost.empty() ? nullptr : lost.data(), row.sources.tokens(),
                          pb_.latent);
  const AverageBound u = average_bound(at_, weights, scores, latents);
  const std::vector<QueryIndex>& rows = chunk.rows;
  const Index n = static_cast<Index>(rows.size()), r = pb_.latent;
  Tensor<double>* kept = find("u");
  Tensor<double> through({n, r}), held({n, r});
  for (Index i = 0; i < n; ++i) {
    const QueryIndex& at_query = rows[static_cast<std::size_t>(i)];
    for (Index k = 0; k < r; ++k) {
      const double value = std::fabs(u.mean.row(i)[k]), computed = u.total(at_, i, k);
      const double store = at_.store_near(Stored::u, value, computed);
      const Index flat = ((row.b * pb_.queries + at_query.s) * pb_.heads + at_query.h) * r + k;
      const double total = is_given("u") ? given_->radius("u", flat, value) : computed + store;
      const double own = u.accumulation.row(i)[k] + u.carried.row(i)[k];
      through.row(i)[k] = is_given("u") ? total : own + quotient_rounding(at_, value + computed) + store;
      held.row(i)[k] = value + total;
      if (kept != nullptr && weights[static_cast<std::size_t>(i)].live) kept->row(row.b, at_query.s, at_query.h)[k] = total;
    }
    if (kept != nullptr && weights[static_cast<std::size_t>(i)].live) raise(u.mean.row(i), r, kept->row(row.b, at_query.s, at_query.h));
  }
  return average_ ? expand(chunk.g, through, held) : Tensor<double>{};
}

/// |W_V| carries u's errors on to o, and the product adds its own.
Tensor<double> BoundRun::expand(Index g, const Tensor<double>& through, const Tensor<double>& held) const {
  const Index r = pb_.latent;
  const Tensor<double> w_v = absolute(in_.at("w_v").row(g), r, pb_.value_dim);
  Accumulation sum = accumulation(at_.products, r);
  sum.underflow += matrix_unit_underflow(at_.products, r, std::max(largest_of(held), largest_of(w_v)));
  Tensor<double> out = multiply(through, w_v.data(), pb_.value_dim);
  const Tensor<double> sums = multiply(held, w_v.data(), pb_.value_dim);
  for (Index i = 0; i < out.size(); ++i) {
    out[i] += sums[i] * (1 + sum.factor) <= at_.fa.largest() ? sum.factor * sums[i] + sum.underflow : kInfinity;
  }
  return out;
}

void BoundRun::keep_probable(const Chunk& chunk, const Queries& queries, const Scores& scores, const std::vector<RowWeights>& weights,
                             const AverageBound& average) {
  const RowKeys& row = *chunk.only->row;
  const std::vector<QueryIndex>& rows = chunk.rows;
  const ProbableScores probable = probable_scores(at_, in_, row, chunk.g, chunk.only->keys, queries, scores, lambda_);
  const bool of_output = probable_.contains("o");
  const Tensor<double> o =
      of_output ? probable_average(at_, in_, row, chunk.g, scores, probable, weights, chunk.values, average, lambda_) : Tensor<double>{};
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const auto [s, h] = rows[n];
    const Index i = static_cast<Index>(n);
    if (const auto kept = probable_.find("logits"); kept != probable_.end())
      std::copy_n(probable.bound.row(i), row.tokens, kept->second.row(row.b, h, s));
    const double* rigorous = find("o")->row(row.b, s, h);
    for (Index j = 0; of_output && j < pb_.value_dim; ++j) {
      const double bound = o.row(i)[j];
      probable_.at("o").row(row.b, s, h)[j] = bound < rigorous[j] ? bound : rigorous[j];
    }
  }
}

/// Stage `output` after o: gate and output projection.
void BoundRun::finish_row(Index b) {
  const Index width = pb_.heads * pb_.value_dim;
  Vectors o = make_vectors(pb_.queries, width);
  std::copy_n(o_.row(b), pb_.queries * width, o.value.data());
  std::copy_n(find("o")->row(b), pb_.queries * width, o.radius.data());
  if (pb_.output_gate) {
    const double* gate = in_.at("gate").row(b);
    const double rounding = phi(1, at_.fx.unit()) + at_.e_sigmoid * (1 + at_.fx.unit()) + 0x1p-50;  // binary64's own
    for (Index i = 0; i < pb_.queries * width; ++i) {
      const double sigmoid = 1 / (1 + std::exp(-gate[i]));
      o.value[i] *= sigmoid;
      const double before = o.radius[i];
      o.radius[i] = sigmoid * before * (1 + rounding) + rounding * std::fabs(o.value[i]) +
                    at_.fx.product_underflow() * (1 + std::fabs(o_.row(b)[i]) + before);
    }
    if (Tensor<double>* kept = find("o_gated")) std::copy_n(o.radius.data(), pb_.queries * width, kept->row(b));
  }
  if (Tensor<double>* kept = find("y")) {
    const Vectors y = multiply_bounded(at_, o, in_.at("w_o").data(), pb_.model_dim);
    std::copy_n(y.radius.data(), y.radius.size(), kept->row(b));
  }
}

}  // namespace equinorm::bounds
