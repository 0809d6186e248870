// Inputs of a problem from its generator or its file, checked.
#pragma once

#include <map>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// The inputs that problem.inputs asks for: generated, or read from the safetensors file inputs.path (memory-mapped; its bits are the
/// truth). Everything is checked as by check_inputs; outputs in the file are left out of the result. Throws Error.
tensor::TensorMap make_inputs(const problem::Problem& problem);

/// Checks that `inputs` can serve `problem`:
///   every tensor that is needed, with its shape, a floating dtype (positions: I64 or I32), finite (padding past T_b included);
///   nothing unknown, except names of outputs, with or without .lo, .radius, .bound;
///   positions not negative, and RoPE tables with a row for the largest live position; default positions where the mask allows them;
///   no row without an inverse RMS (eps 0 and all zero), as far as that shows without arithmetic.
/// `skipped` names tensors that the file holds in a dtype that cannot be read, for the message. Throws Error naming tensor, value and what
/// is allowed.
void check_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::map<std::string, std::string>& skipped = {});

}  // namespace equinorm::inputs
