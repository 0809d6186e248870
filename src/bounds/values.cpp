#include "bounds/values.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

double longest_row(const double* x, Index rows, Index width) {
  double longest = 0;
  for (Index t = 0; t < rows && x != nullptr; ++t) longest = std::max(longest, length(x + t * width, width));
  return longest;
}

/// What binary64 loses in v_tj, by Cauchy-Schwarz: in the product, and in c.
std::vector<double> own_errors(const Setting& at, const LatentLengths& lengths, const double* w_v) {
  const Index r = at.problem.latent, d_v = at.problem.value_dim;
  const double lost = 0x1p-52 * static_cast<double>(r + 8) * lengths.longest + lengths.far * (1 + 0x1p-30);
  std::vector<double> own(static_cast<std::size_t>(d_v));
  for (Index j = 0; j < d_v; ++j) {
    double sum = 0;
    for (Index k = 0; k < r; ++k) sum += w_v[k * d_v + j] * w_v[k * d_v + j];
    own[static_cast<std::size_t>(j)] = lost * std::sqrt(sum);
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

std::vector<double> column_maxima(const double* x, Index rows, Index width) {
  if (x == nullptr) return {};
  std::vector<double> most(static_cast<std::size_t>(width));
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < width; ++j) most[static_cast<std::size_t>(j)] = std::max(most[static_cast<std::size_t>(j)], x[i * width + j]);
  }
  return most;
}

LatentLengths latent_lengths(const RowSources& sources, const RowSources& own, Index width) {
  return {longest_row(sources.latents(), sources.tokens(), width), longest_row(own.latent_radii(), own.tokens(), width)};
}

Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowSources& sources, const RowSources& own,
                    const std::vector<Tokens>& blocks, const LatentLengths& lengths, Index g) {
  const problem::Problem& pb = at.problem;
  const Index d_v = pb.value_dim, tokens = sources.tokens();
  if (!pb.is_mla()) {
    Vectors v = sources.values(g);
    std::vector<double> lost;
    if (pb.start == problem::Start::x) lost = column_maxima(own.values(g).radius.data(), tokens, d_v);
    return {std::move(v.value), std::move(v.radius), std::move(lost)};
  }
  const double* w_v = in.at("w_v").row(g);
  Values values{Tensor<double>({tokens, d_v}), {}, own_errors(at, lengths, w_v)};
  if (!at.absorbed()) values.radius = Tensor<double>({tokens, d_v});
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t k) {
    if (!at.absorbed()) return explicit_values(at, sources, w_v, blocks[k], values);
    const Index first = blocks[k].first;
    multiply_plain(sources.latents() + first * pb.latent, blocks[k].count, pb.latent, w_v, d_v, values.value.row(first));
  });
  return values;
}

}  // namespace equinorm::bounds
