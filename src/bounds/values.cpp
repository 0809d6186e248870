#include "bounds/values.hpp"

#include <algorithm>

#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

/// What binary64 loses in v_tj, by Cauchy-Schwarz.
std::vector<double> own_errors(const Setting& at, const RowKeys& row, const double* w_v) {
  const Index r = at.problem.latent, d_v = at.problem.value_dim;
  const double spread = at.problem.start == problem::Start::x ? 2 / at.fa.unit() : 0;
  double longest = 0;
  for (Index t = 0; t < row.tokens; ++t) {
    double sum = 0;
    for (Index k = 0; k < r; ++k) sum += std::pow(std::fabs(row.sources->c.value.row(t)[k]) + spread * row.sources->c.radius.row(t)[k], 2);
    longest = std::max(longest, std::sqrt(sum));
  }
  std::vector<double> own(static_cast<std::size_t>(d_v));
  for (Index j = 0; j < d_v; ++j) {
    double sum = 0;
    for (Index k = 0; k < r; ++k) sum += w_v[k * d_v + j] * w_v[k * d_v + j];
    own[static_cast<std::size_t>(j)] = 0x1p-52 * static_cast<double>(r + at.problem.model_dim + 8) * longest * std::sqrt(sum);
  }
  return own;
}

}  // namespace

Values group_values(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g) {
  const problem::Problem& pb = at.problem;
  const Index d_v = pb.value_dim;
  if (!pb.is_mla()) {
    Values values{Tensor<double>({row.tokens, d_v}), Tensor<double>({row.tokens, d_v}), {}};
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
