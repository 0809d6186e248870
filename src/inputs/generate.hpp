// Seeded inputs of a problem.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// Every input tensor of `problem` in the family problem.inputs.kind, in the dtype of precision.storage (real:BITS: F64 holding at most
/// BITS bits; RoPE tables: F32, correctly rounded). positions_q and positions_k are left out. Padding past T_b holds ordinary values.
///
/// The bits depend on the problem and inputs.seed alone, not on threads or platform. For 16-bit storage most families keep values that fp16
/// and bf16 both represent exactly, so that the two formats can be compared on equal data. Throws Error for unknown kinds (naming the known
/// ones), for "file", and where the family cannot serve the problem.
tensor::TensorMap generate_inputs(const problem::Problem& problem);

/// Those tensors of generate_inputs whose names are in `names`, bit for bit the same. Throws Error for names that it does not draw.
tensor::TensorMap generate_inputs(const problem::Problem& problem, const std::set<std::string>& names);

/// Name and one-line description of every family.
std::vector<std::pair<std::string, std::string>> input_families();

}  // namespace equinorm::inputs
