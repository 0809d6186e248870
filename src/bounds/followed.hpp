// Running error analysis: what a sum may lose, from its own partial sums.
#pragma once

#include "bounds/accumulation.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::bounds {

/// Whether `order` is a sequence, or blocks of one: sums that can be followed.
bool can_follow(const scalar::SumOrder& order);

/// What sum_k a_ik b_kj may lose, [m,n], underflow included, for any operands whose partial sums lie within spread_ij of `factor` times
/// those of a [m,depth], b [depth,n]: every operation errs by at most half a unit in the last place of the largest number that it may
/// round, |partial sum| + spread + the errors so far (J. H. Wilkinson; Higham 2002, 3.3). `spread` [m,n] or empty. Infinite where a partial
/// sum may overflow. Needs can_follow. Proof: dot_running_error, half_ulp_of_upper.
tensor::Tensor<double> followed_errors(const Reduction& how, const tensor::Tensor<double>& a, const double* b, tensor::Index n,
                                       const tensor::Tensor<double>& spread, double factor = 1);

}  // namespace equinorm::bounds
