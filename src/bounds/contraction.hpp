// q k^T of two families of inexact vectors.
#pragma once

#include "bounds/vectors.hpp"

namespace equinorm::bounds {

/// What storing does to products [n,T], one tensor for each way in which a kernel may store the factors (it may keep more than was
/// declared).
using Moves = std::vector<Tensor<double>>;

/// The largest |move| of each product; zeros of `shape` where there is none.
Tensor<double> largest_moves(const Moves& moves, const tensor::Shape& shape);

/// x . y - value for x in {q, q stored}, y in {k, k stored}, value = q . k, of those that are stored. Proof: radius_dot_exact.
Moves moves_by_stores(const Vectors& q, const Vectors& k, const Tensor<double>& value);

/// A contraction of two inexact families, all [n,T]: values, how far stored factors move them at most, whichever of them the kernel does
/// store (it may keep more than was declared), and local errors from there (common factors apart).
struct Contraction {
  Tensor<double> value, moved, radius;
  double largest_factor = 0;  ///< of what the kernel multiplies, where that is a matrix unit
};

/// Local errors (|q| + e_q) e_k + e_q |k| + D_j (|q| + e_q)(|k| + e_k), summed over the width, D_j = factors[j]; underflow apart. raw[i] is
/// the size of the kernel's own row i in units of q's. Infinite where an absolute sum may overflow. Proof: radius_dot_exact,
/// dot_error_by_term, absolute_sum_guard.
Contraction contract(const Setting& at, const Vectors& q, const Vectors& k, const std::vector<double>& factors,
                     const std::vector<double>& raw);

/// Where the setting follows sums: no error of q k^T is above `operands`, those of the factors, and followed_errors, for kernel's rows of
/// at most `factor` times q's and k's whose partial sums may be `moved` away. Proof: dot_running_error, radius_dot_exact.
void follow_products(const Setting& at, const Tensor<double>& q, const Tensor<double>& k, const Tensor<double>& operands,
                     const Tensor<double>& moved, double factor, Tensor<double>& radius);

}  // namespace equinorm::bounds
