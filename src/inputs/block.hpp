// A batch row and some heads of a problem as a problem of their own.
#pragma once

#include <vector>

#include "inputs/selection.hpp"

namespace equinorm::inputs {

/// Heads [first_head, first_head + heads) of one row; whole groups. `heads` 0: the whole problem.
struct Block {
  problem::Index row = 0, first_head = 0, heads = 0;
  bool whole() const { return heads == 0; }
};

/// The blocks that a problem of `work` multiply-adds is cut into so that each has about `most`: rows first, then groups of heads. A
/// function of the problem alone. Heads stay together where outputs join them: a full-width norm, an output projection. One block, the
/// whole, where nothing has to be cut.
std::vector<Block> blocks_of(const problem::Problem& problem, double work, double most);

/// The problem of a block: one row of its own length, its heads and groups, everything else as it was.
problem::Problem block_problem(const problem::Problem& problem, const Block& block);

/// The inputs of that problem: the same numbers, tokens past the row's end left out.
tensor::TensorMap block_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, const Block& block);

/// Moves an index into output `name` of the block to its place in the whole output.
void move_to_whole(const Block& block, const std::string& name, std::vector<problem::Index>& index);

}  // namespace equinorm::inputs
