// Rows of numbers as a kernel holds them: exact values, how far the kernel's may be, and a factor that a whole row shares.
#pragma once

#include <vector>

#include "bounds/setting.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::bounds {

using tensor::Tensor;

/// Rows [n,width]. The kernel's row i is a_i (x + e) with |a_i - 1| <= rho_i and |a_i e_j| <= radius_j, x being held() or, in a kernel that
/// does not store these rows although it may, value: what the statistic gets wrong is common to the row and is charged once, at the end.
/// Proof: factor_elementwise.
struct Vectors {
  Tensor<double> value;     ///< exact values, evaluated in binary64
  Tensor<double> stored;    ///< same shape, or empty: held is value
  Tensor<double> radius;    ///< same shape
  std::vector<double> rho;  ///< [n]; 0 where no statistic has been applied

  Index rows() const { return value.dim(0); }
  Index width() const { return value.dim(1); }
  /// The middle of what the kernel holds: the value, or what storing it makes of it.
  const Tensor<double>& held() const { return stored.empty() ? value : stored; }
  /// An upper bound of what the kernel holds. Proof: near_magnitude.
  double magnitude(Index i, Index j) const { return (1 + rho[static_cast<std::size_t>(i)]) * size(i, j) + radius.row(i)[j]; }
  double size(Index i, Index j) const { return std::fmax(std::fabs(value.row(i)[j]), std::fabs(held().row(i)[j])); }
  /// |kernel - value| of row i, element j. Proof: factor_elementwise.
  double error(Index i, Index j) const {
    return std::fabs(held().row(i)[j] - value.row(i)[j]) + radius.row(i)[j] + rho[static_cast<std::size_t>(i)] * size(i, j);
  }
  /// Puts `known` in the place of what was known of element j of row i.
  void replace(Index i, Index j, const Rounding::Held& known) {
    if (stored.empty()) stored = value;
    stored.row(i)[j] = known.middle, radius.row(i)[j] = known.radius;
  }
};

Vectors make_vectors(Index rows, Index width);

/// Weights of one block of one head or group: gamma, or 1 + gamma with its rounding; empty: none.
struct Weights {
  std::vector<double> value, radius;
};
/// With `1 + gamma` rounded once. Proof: half_ulp_of_upper.
Weights weights(const Setting& at, const paths::PathInputs<double>& in, bool query_side, bool rope_block, Index head_or_group);

/// What happens to one row of a block: scaled by alpha (rho: its error), weighted, rotated, stored.
struct Finish {
  double alpha = 1;
  double rho = 0;
  bool scaled = false;  ///< alpha is applied
  const Weights* weight = nullptr;
  const double* cosine = nullptr;  ///< [n/2] of the row's position; null: not rotated
  const double* sine = nullptr;
  Index first_rotated = 0;  ///< offset of the rotated dims
  Stored stored = Stored::k_hat;
  bool unstored = false;  ///< nothing is rounded at the end
};

/// Carries out `how` on row i in place, once for every row: nothing is done to what has been stored. Products and additions are charged u
/// each, whatever their order, the store half an ulp. Proof: normalised_component_error, radius_product_exact, radius_rope, rounded_radius,
/// centre_rotation, radius_less_part.
void finish_row(const Setting& at, const Finish& how, Vectors& x, Index i);
/// The exact values alone, before they are stored, of a row of `width` that is not rotated: the same bits.
void finish_values(const Finish& how, double* value, Index width);

}  // namespace equinorm::bounds
