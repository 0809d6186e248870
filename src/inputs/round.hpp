// Inputs as an implementation receives them that stores fewer bits.
#pragma once

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// The same inputs rounded to nearest-even into `format` (under `ftz` subnormals become zeros), each in that format's dtype. RoPE tables
/// and positions stay as they are. `changed`, if given, tells whether any number changed. Throws Error for real:BITS.
tensor::TensorMap round_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, scalar::Format format, bool ftz,
                               bool* changed = nullptr);

}  // namespace equinorm::inputs
