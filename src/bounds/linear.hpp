// Matrix products of magnitudes, in binary64.
#pragma once

#include "bounds/vectors.hpp"

namespace equinorm::bounds {

/// a[m,depth] b[depth,n]; and with b given as [n,depth].
Tensor<double> multiply(const Tensor<double>& a, const double* b, Index n);
Tensor<double> multiply_transposed(const Tensor<double>& a, const Tensor<double>& b);
/// The same where the numbers lie: out[m,n].
void multiply_plain(const double* a, Index m, Index depth, const double* b, Index n, double* out);
/// multiply with b given some of its rows at a time, from the first one on: adds a[m, first ..] b to out [m,n], b [depth,n] having rows of
/// `stride` numbers. The bits are those of the whole product: a sum is one chain.
void multiply_rows(const Tensor<double>& a, Index first, const double* b, Index depth, Index stride, Tensor<double>& out);

Tensor<double> absolute(const double* x, Index rows, Index width);

/// x W for W [depth,n], as `accumulation` computes it: |W| carries the radius of x on, and the accumulation adds its own. Infinite where a
/// partial sum may overflow. Proof: radius_dot_exact, dot_finite_guard, absolute_sum_guard.
Vectors multiply_bounded(const Setting& at, const Vectors& x, const double* w, Index n);

/// sum_k factor_k a_ik b_kj of magnitudes a [m,depth] and b [depth,n], factors being those of the reduction's terms: what it may lose,
/// underflow apart. Infinite where a partial sum may exceed `largest`. Proof: dot_error_by_term, dot_finite_guard.
Tensor<double> sum_errors(const Reduction& reduction, Tensor<double> a, const double* b, Index n, double largest);

/// Where the setting follows sums: no error is above followed_errors of the same operands. Proof: dot_running_error.
void follow(const Setting& at, const Tensor<double>& a, const double* b, Index n, const Tensor<double>& spread, double factor,
            Tensor<double>& errors);

/// Moves the common factor of each row into its radii: |kernel - value| <= radius + rho |value|. Proof: factor_elementwise.
void spread_factor(Vectors& x);

/// ||x||_2 of n numbers.
double length(const double* x, Index n);

/// Largest number of a tensor of magnitudes; a NaN counts as infinite.
double largest_of(const Tensor<double>& magnitudes);

/// Whether any radius differs from 0.
bool has_radius(const Tensor<double>& radius);

}  // namespace equinorm::bounds
