#include "bounds/values.hpp"

#include <algorithm>

#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

double longest_row(const Tensor<double>& x) {
  double longest = 0;
  for (Index t = 0; t < x.dim(0); ++t) {
    double sum = 0;
    for (Index k = 0; k < x.dim(1); ++k) sum += x.row(t)[k] * x.row(t)[k];
    longest = std::max(longest, std::sqrt(sum));
  }
  return longest;
}

/// What binary64 loses in v_tj, by Cauchy-Schwarz: in the product, and in c.
std::vector<double> own_errors(const Setting& at, const RowKeys& row, const double* w_v) {
  const Index r = at.problem.latent, d_v = at.problem.value_dim;
  const double far = longest_row(row.own_sources->c.radius), longest = longest_row(row.sources->c.value);
  const double lost = 0x1p-52 * static_cast<double>(r + 8) * longest + far * (1 + 0x1p-30);
  std::vector<double> own(static_cast<std::size_t>(d_v));
  for (Index j = 0; j < d_v; ++j) {
    double sum = 0;
    for (Index k = 0; k < r; ++k) sum += w_v[k * d_v + j] * w_v[k * d_v + j];
    own[static_cast<std::size_t>(j)] = lost * std::sqrt(sum);
  }
  return own;
}

}  // namespace

std::vector<double> column_maxima(const Tensor<double>& x, Index stride, Index first) {
  std::vector<double> most(static_cast<std::size_t>(x.dim(1)));
  for (Index i = first; i < x.dim(0); i += stride) {
    for (Index j = 0; j < x.dim(1); ++j) most[static_cast<std::size_t>(j)] = std::max(most[static_cast<std::size_t>(j)], x.row(i)[j]);
  }
  return most;
}

Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g) {
  const problem::Problem& pb = at.problem;
  const Index d_v = pb.value_dim;
  if (!pb.is_mla()) {
    Values values{Tensor<double>({row.tokens, d_v}), Tensor<double>({row.tokens, d_v}),
                  column_maxima(row.own_sources->v.radius, pb.groups, g)};
    const Vectors& v = row.sources->v;
    for (Index t = 0; t < row.tokens; ++t) {
      std::copy_n(v.value.row(t * pb.groups + g), d_v, values.value.row(t));
      std::copy_n(v.radius.row(t * pb.groups + g), d_v, values.radius.row(t));
    }
    return values;
  }
  const double* w_v = in.at("w_v").row(g);
  Values values;
  if (at.absorbed()) {
    values.value = multiply(row.sources->c.value, w_v, d_v);
  } else {
    Vectors v = multiply_bounded(at, row.sources->c, w_v, d_v);
    for (Index i = 0; i < v.value.size(); ++i) v.radius[i] += at.store_near(Stored::v, v.value[i], v.radius[i]);
    values.value = std::move(v.value), values.radius = std::move(v.radius);
  }
  values.own = own_errors(at, row, w_v);
  return values;
}

}  // namespace equinorm::bounds
