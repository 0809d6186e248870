#include "bounds/linear.hpp"

#include <algorithm>

#include "bounds/followed.hpp"
#include "scalar/emulated.hpp"

namespace equinorm::bounds {
namespace {

const scalar::Contraction kWide{scalar::kFp64, true, {}, false};

}  // namespace

Tensor<double> multiply(const Tensor<double>& a, const double* b, Index n) {
  const Index m = a.dim(0), depth = a.dim(1);
  Tensor<double> out({m, n});
  multiply_plain(a.data(), m, depth, b, n, out.data());
  return out;
}

void multiply_plain(const double* a, Index m, Index depth, const double* b, Index n, double* out) {
  scalar::matmul(kWide, m, n, depth, a, depth, b, n, out, n, false);
}

void multiply_rows(const Tensor<double>& a, Index first, const double* b, Index depth, Index stride, Tensor<double>& out) {
  const Index m = out.dim(0), n = out.dim(1);
  scalar::matmul(kWide, m, n, depth, a.data() + first, a.dim(1), b, stride, out.data(), n, first > 0);
}

Tensor<double> multiply_transposed(const Tensor<double>& a, const Tensor<double>& b) {
  const Index m = a.dim(0), depth = a.dim(1), n = b.dim(0);
  Tensor<double> out({m, n});
  scalar::matmul_transposed(kWide, m, n, depth, a.data(), depth, b.data(), depth, out.data(), n, false);
  return out;
}

Tensor<double> absolute(const double* x, Index rows, Index width) {
  Tensor<double> out({rows, width});
  for (Index i = 0; i < rows * width; ++i) out[i] = std::fabs(x[i]);
  return out;
}

double length(const double* x, Index n) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += x[j] * x[j];
  return std::sqrt(sum);
}

double largest_of(const Tensor<double>& magnitudes) {
  double most = 0;
  for (Index i = 0; i < magnitudes.size(); ++i) {
    if (!(magnitudes[i] <= most)) most = magnitudes[i] > most ? magnitudes[i] : kInfinity;
  }
  return most;
}

bool has_radius(const Tensor<double>& radius) {
  return std::any_of(radius.data(), radius.data() + radius.size(), [](double r) { return r != 0; });
}

Tensor<double> sum_errors(const Reduction& reduction, Tensor<double> a, const double* b, Index n, double largest) {
  const Index depth = a.dim(1);
  const std::vector<double> factors = term_factors(reduction, depth);
  const double uniform = accumulation(reduction, depth).factor, fits = largest / (1 + uniform);
  const double least = depth > 0 ? *std::min_element(factors.begin(), factors.end()) : 1;
  for (Index i = 0; i < a.dim(0); ++i) {
    for (Index k = 0; k < depth; ++k) a.row(i)[k] *= factors[static_cast<std::size_t>(k)];
  }
  Tensor<double> out = multiply(a, b, n);
  for (Index i = 0; i < a.dim(0); ++i) {
    for (Index j = 0; j < n; ++j) {
      double& error = out.row(i)[j];
      if (error <= fits * least) continue;  // least times the absolute sum is in it, so most sums need no second look
      double total = 0;
      for (Index k = 0; k < depth; ++k) total += a.row(i)[k] / factors[static_cast<std::size_t>(k)] * b[k * n + j];
      if (!(total <= fits)) error = kInfinity;
    }
  }
  return out;
}

void follow(const Setting& at, const Tensor<double>& a, const double* b, Index n, const Tensor<double>& spread, double factor,
            Tensor<double>& errors) {
  if (!at.follow_sums || !can_follow(at.products.order)) return;
  const Tensor<double> followed = followed_errors(at.products, a, b, n, spread, factor);
  for (Index i = 0; i < errors.size(); ++i) errors[i] = followed[i] < errors[i] ? followed[i] : errors[i];
}

Vectors multiply_bounded(const Setting& at, const Vectors& x, const double* w, Index n) {
  const Index rows = x.rows(), depth = x.width();
  Vectors out{multiply(x.value, w, n), {}, Tensor<double>({rows, n}), std::vector<double>(static_cast<std::size_t>(rows))};
  const Tensor<double> abs_w = absolute(w, depth, n);
  Tensor<double> magnitude = absolute(x.value.data(), rows, depth);
  const bool inexact = has_radius(x.radius);
  Tensor<double> carried;
  if (inexact) {
    carried = multiply(x.radius, abs_w.data(), n);
    for (Index i = 0; i < magnitude.size(); ++i) magnitude[i] += x.radius[i];
  }
  Accumulation sum = accumulation(at.products, depth);
  if (has_matrix_unit(at.products))
    sum.underflow += matrix_unit_underflow(at.products, depth, std::max(largest_of(magnitude), largest_of(abs_w)));
  const Tensor<double> own = sum_errors(at.products, std::move(magnitude), abs_w.data(), n, at.fa.largest());
  for (Index i = 0; i < own.size(); ++i) out.radius[i] = own[i] + sum.underflow;
  follow(at, x.value, w, n, carried, 1, out.radius);
  for (Index i = 0; i < own.size() && inexact; ++i) out.radius[i] += carried[i];
  return out;
}

void spread_factor(Vectors& x) {
  for (Index i = 0; i < x.rows(); ++i) {
    double& rho = x.rho[static_cast<std::size_t>(i)];
    for (Index j = 0; j < x.width(); ++j) x.radius.row(i)[j] += rho * std::fabs(x.value.row(i)[j]);
    rho = 0;
  }
}

}  // namespace equinorm::bounds
