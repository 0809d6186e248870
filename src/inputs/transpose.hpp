// Rectangles of linear-layer weights, transposed bit for bit.
#pragma once

#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

using tensor::AnyTensor;
using tensor::Index;

/// A rectangle of a matrix in a file.
struct Block {
  Index row, rows, column, columns;
};

/// target[c * stride + r] = source[block.row + r][block.column + c] from element `offset` of the target on.
void transpose_block(const AnyTensor& source, const Block& block, AnyTensor& target, Index offset, Index stride);

}  // namespace equinorm::inputs
