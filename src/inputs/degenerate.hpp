// Inputs for which a norm is undefined.
#pragma once

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// With eps 0, a live row that a norm averages over must not be all zero: its inverse RMS does not exist. Looks at the inputs alone: rows
/// of q and k; of c, whose keys are then zero; of x, which makes everything zero. Keys that only cancel to zero are not found here. Throws
/// Error naming the tensor and the row.
void check_inverse_rms(const problem::Problem& problem, const tensor::TensorMap& inputs);

}  // namespace equinorm::inputs
