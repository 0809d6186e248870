#include "bounds/contraction.hpp"

#include <algorithm>

#include "bounds/followed.hpp"
#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

double largest_of(const std::vector<double>& x) { return x.empty() ? 0 : *std::max_element(x.begin(), x.end()); }

/// |stored - value| of every element.
Tensor<double> distances(const Vectors& x) {
  Tensor<double> out(x.value.shape());
  for (Index i = 0; i < out.size(); ++i) out[i] = std::fabs(x.held()[i] - x.value[i]);
  return out;
}

}  // namespace

Tensor<double> largest_moves(const Moves& moves, const tensor::Shape& shape) {
  Tensor<double> most(shape);
  for (const Tensor<double>& move : moves) {
    for (Index i = 0; i < most.size(); ++i) most[i] = std::max(most[i], std::fabs(move[i]));
  }
  return most;
}

Moves moves_by_stores(const Vectors& q, const Vectors& k, const Tensor<double>& value) {
  Moves moves;
  const auto take = [&](const Tensor<double>& x, const Tensor<double>& y) {
    moves.push_back(multiply_transposed(x, y));
    for (Index i = 0; i < value.size(); ++i) moves.back()[i] -= value[i];
  };
  if (!q.stored.empty()) take(q.stored, k.value);
  if (!k.stored.empty()) take(q.value, k.stored);
  if (!q.stored.empty() && !k.stored.empty()) take(q.stored, k.stored);
  return moves;
}

void follow_products(const Setting& at, const Tensor<double>& q, const Tensor<double>& k, const Tensor<double>& operands,
                     const Tensor<double>& moved, double factor, Tensor<double>& radius) {
  if (!at.follow_sums || !can_follow(at.products.order)) return;
  Tensor<double> columns({k.dim(1), k.dim(0)});
  for (Index t = 0; t < k.dim(0); ++t) {
    for (Index j = 0; j < k.dim(1); ++j) columns.row(j)[t] = k.row(t)[j];
  }
  Tensor<double> spread = operands;
  for (Index i = 0; i < spread.size(); ++i) spread[i] += factor * moved[i];
  const Tensor<double> followed = followed_errors(at.products, q, columns.data(), k.dim(0), spread, factor);
  for (Index i = 0; i < radius.size(); ++i) {
    const double error = operands[i] + followed[i];
    radius[i] = radius[i] < kInfinity && error < radius[i] ? error : radius[i];
  }
}

Contraction contract(const Setting& at, const Vectors& q, const Vectors& k, const std::vector<double>& factors,
                     const std::vector<double>& raw) {
  Contraction out{multiply_transposed(q.value, k.value), {}, {}, 0};
  out.moved = largest_moves(moves_by_stores(q, k, out.value), out.value.shape());
  const auto [least, most] = std::minmax_element(factors.begin(), factors.end());
  Tensor<double> held_q({q.rows(), q.width()}), held_k({k.rows(), k.width()}), exact_k({k.rows(), k.width()}), both({k.rows(), k.width()});
  for (Index i = 0; i < q.rows(); ++i) {
    for (Index j = 0; j < q.width(); ++j) held_q.row(i)[j] = q.magnitude(i, j);
  }
  for (Index t = 0; t < k.rows(); ++t) {
    const double factor = 1 + k.rho[static_cast<std::size_t>(t)];
    for (Index j = 0; j < k.width(); ++j) {
      const double radius = k.radius.row(t)[j];
      held_k.row(t)[j] = k.magnitude(t, j);
      exact_k.row(t)[j] = factor * k.size(t, j);
      both.row(t)[j] = radius + factors[static_cast<std::size_t>(j)] * held_k.row(t)[j];
    }
  }
  out.radius = multiply_transposed(held_q, both);
  double largest_raw = 1;
  for (const double size : raw) largest_raw = std::max(largest_raw, 1 / size);
  if (has_matrix_unit(at.products)) out.largest_factor = std::max(largest_of(held_q) * largest_raw, largest_of(held_k));
  Tensor<double> query_part = multiply_transposed(q.radius, exact_k);
  for (Index i = 0; i < q.rows(); ++i) {
    for (Index t = 0; t < k.rows(); ++t) {
      double& radius = out.radius.row(i)[t];
      radius += query_part.row(i)[t];
      // The radius holds the least factor times the absolute sum, so most sums need no second look.
      const double fits = at.fa.largest() / (raw[static_cast<std::size_t>(i)] * (1 + *most));
      if (radius <= fits * *least) continue;
      double total = 0;
      for (Index j = 0; j < q.width(); ++j) total += held_q.row(i)[j] * held_k.row(t)[j];
      if (!(total <= fits)) radius = kInfinity;
    }
  }
  if (at.follow_sums && std::all_of(raw.begin(), raw.end(), [](double size) { return size == 1; })) {
    const Tensor<double> key_part = multiply_transposed(held_q, k.radius);
    for (Index i = 0; i < query_part.size(); ++i) query_part[i] += key_part[i];
    // What partial sums are away from those of the values: |q_s - q| |k_s| + |q| |k_s - k|.
    Tensor<double> away = multiply_transposed(distances(q), held_k);
    const Tensor<double> of_keys = multiply_transposed(held_q, distances(k));
    for (Index i = 0; i < away.size(); ++i) away[i] += of_keys[i];
    follow_products(at, q.value, k.value, query_part, away, (1 + largest_of(q.rho)) * (1 + largest_of(k.rho)), out.radius);
  }
  return out;
}

}  // namespace equinorm::bounds
