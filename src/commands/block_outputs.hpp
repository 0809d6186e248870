// The outputs of a block (inputs/block.hpp) as parts of the whole problem's outputs.
#pragma once

#include <string>

#include "inputs/block.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"

namespace equinorm::commands {

/// The block's part of an output or of a tensor between stages: its row, its heads or groups, the tokens of its row's context.
tensor::AnyTensor take_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name,
                             const tensor::AnyTensor& whole);
verdict::ReferenceTensor take_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name,
                                    const verdict::ReferenceTensor& whole);

/// Writes the block's part into `whole`.
void put_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name, const tensor::Tensor<double>& part,
               tensor::Tensor<double>& whole);

}  // namespace equinorm::commands
