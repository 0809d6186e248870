#include "bounds/values.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

/// What binary64 loses in v_tj, by Cauchy-Schwarz.
std::vector<double> own_errors(const Setting& at, double longest, const double* w_v) {
  const Index r = at.problem.latent, d_v = at.problem.value_dim;
  std::vector<double> own(static_cast<std::size_t>(d_v));
  for (Index j = 0; j < d_v; ++j) {
    double sum = 0;
    for (Index k = 0; k < r; ++k) sum += w_v[k * d_v + j] * w_v[k * d_v + j];
    own[static_cast<std::size_t>(j)] = 0x1p-52 * static_cast<double>(r + at.problem.model_dim + 8) * longest * std::sqrt(sum);
  }
  return own;
}

/// Rows of v = c W_V of some tokens, with the errors of the explicit form.
void explicit_values(const Setting& at, const RowSources& sources, const double* w_v, const Tokens& tokens, Values& values) {
  Vectors v = multiply_bounded(at, sources.of(tokens).c, w_v, at.problem.value_dim);
  for (Index i = 0; i < v.value.size(); ++i) v.radius[i] += at.store_near(Stored::v, v.value[i], v.radius[i]);
  std::copy_n(v.value.data(), v.value.size(), values.value.row(tokens.first));
  std::copy_n(v.radius.data(), v.radius.size(), values.radius.row(tokens.first));
}

}  // namespace

double longest_latent(const Setting& at, const RowSources& sources) {
  const Index r = at.problem.latent;
  const double spread = at.problem.start == problem::Start::x ? 2 / at.fa.unit() : 0;
  const double *value = sources.latents(), *radius = sources.latent_radii();
  double longest = 0;
  for (Index t = 0; t < sources.tokens(); ++t) {
    double sum = 0;
    for (Index k = t * r; k < (t + 1) * r; ++k) {
      const double size = std::fabs(value[k]) + (radius != nullptr ? spread * radius[k] : 0);
      sum += size * size;
    }
    longest = std::max(longest, std::sqrt(sum));
  }
  return longest;
}

Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowSources& sources, const std::vector<Tokens>& blocks,
                    double longest, Index g) {
  const problem::Problem& pb = at.problem;
  const Index d_v = pb.value_dim, tokens = sources.tokens();
  if (!pb.is_mla()) {
    Vectors v = sources.values(g);
    return {std::move(v.value), std::move(v.radius), {}};
  }
  const double* w_v = in.at("w_v").row(g);
  Values values{Tensor<double>({tokens, d_v}), {}, own_errors(at, longest, w_v)};
  if (!at.absorbed()) values.radius = Tensor<double>({tokens, d_v});
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t k) {
    if (!at.absorbed()) return explicit_values(at, sources, w_v, blocks[k], values);
    const Index first = blocks[k].first;
    multiply_plain(sources.latents() + first * pb.latent, blocks[k].count, pb.latent, w_v, d_v, values.value.row(first));
  });
  return values;
}

}  // namespace equinorm::bounds
