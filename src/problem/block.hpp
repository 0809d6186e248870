// A batch row and some heads of a problem as a problem of their own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::problem {

/// Heads [first_head, first_head + heads) of one row; whole groups. `heads` 0: the whole problem.
struct Block {
  Index row = 0, first_head = 0, heads = 0;
  bool whole() const { return heads == 0; }
};

/// What must not be cut apart, beside the heads that outputs join.
enum class Together : std::uint8_t { nothing, heads, all };

/// The blocks that a problem of `work` multiply-adds is cut into so that each has about `most`: rows first, then groups of heads. A
/// function of its arguments alone. Heads stay together where outputs join them: a full-width norm, an output projection. One block, the
/// whole, where nothing has to be cut.
std::vector<Block> blocks_of(const Problem& problem, double work, double most, Together together = Together::nothing);

/// The problem of a block: one row of its own length, its heads and groups, everything else as it was.
Problem block_problem(const Problem& problem, const Block& block);

/// A box in a tensor: its extent, and its first index on each axis.
struct Box {
  std::vector<Index> shape, first;
};

/// The block's part of an input or output tensor of the whole problem: its row, heads or groups, the tokens of its row's context.
Box box_of(const Problem& problem, const Block& block, const std::string& tensor, const std::vector<Index>& whole_shape);

/// Calls body(first element in the box, first element in the whole, count) for the runs of elements that lie side by side in both.
void for_each_run(const Box& box, const std::vector<Index>& whole_shape, const std::function<void(Index, Index, Index)>& body);

/// Moves an index into output `tensor` of the block to its place in the whole output. `problem` is the whole or the block's.
void move_to_whole(const Problem& problem, const Block& block, const std::string& tensor, std::vector<Index>& index);

}  // namespace equinorm::problem
