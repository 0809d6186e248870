// The inputs of a block of a problem (problem/block.hpp).
#pragma once

#include "problem/block.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

using problem::Block;
using problem::block_problem;
using problem::blocks_of;

/// The inputs of the block's problem: the same numbers, tokens past the row's end left out.
tensor::TensorMap block_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, const Block& block);

}  // namespace equinorm::inputs
