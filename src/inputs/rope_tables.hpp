// Rotation angles of RoPE and their cosines and sines, correctly rounded.
#pragma once

#include "problem/problem.hpp"
#include "scalar/decimal.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::inputs {

using problem::Index;

/// The exact rational factor that `rope.scaling` puts on the frequency theta^(-2i/n) of pair i:
///   none: 1.   linear: 1 / factor.
///   yarn: ramp / factor + (1 - ramp), ramp = clamp((i - low) / (high - low), 0, 1),
///         low  = max(floor(d(beta_fast)), 0), high = min(ceil(d(beta_slow)), n - 1), high += 1/1000 if they are equal,
///         d(beta) = n ln(original_context / (2 pi beta)) / (2 ln theta)      (as in Hugging Face transformers; low and high are integers,
///         so exact).
/// Throws Error if theta, factor or a beta is not positive, or under yarn if theta is 1.
scalar::Rational frequency_factor(const problem::Rope& rope, Index rotated_dims, Index pair);

struct RopeTables {
  tensor::Tensor<float> cos;  ///< [P, n/2]
  tensor::Tensor<float> sin;  ///< [P, n/2]
};

/// cos and sin of position * theta^(-2i/n) * frequency_factor for positions 0..rows-1 and pairs i = 0..n/2-1, each the binary32 number
/// nearest to the value at the exact angle. Throws Error as above, or if rotated_dims is not even and positive or rows is below 1 or above
/// 2^32.
RopeTables rope_tables(const problem::Rope& rope, Index rotated_dims, Index rows);

}  // namespace equinorm::inputs
