#include "problem/block.hpp"

#include <algorithm>

#include "problem/axes.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::problem {
namespace {

/// Where the block begins on an axis.
Index begin_of(const Problem& problem, const Block& block, const Axis& axis) {
  switch (axis.along) {
    case Along::rows:
      return block.row;
    case Along::heads:
      return block.first_head * axis.width;
    case Along::groups:
      return block.first_head * problem.groups / problem.heads * axis.width;
    case Along::queries:
    case Along::tokens:
      return 0;
  }
  return 0;
}

Index extent_of(const Problem& problem, const Block& block, const Axis& axis) {
  switch (axis.along) {
    case Along::rows:
      return 1;
    case Along::queries:
      return problem.queries;
    case Along::heads:
      return block.heads * axis.width;
    case Along::groups:
      return block.heads * problem.groups / problem.heads * axis.width;
    case Along::tokens:
      return problem.context_of(block.row);
  }
  return 0;
}

}  // namespace

std::vector<Block> blocks_of(const Problem& problem, double work, double most, Together together) {
  if (!(work > most) || together == Together::all) return {Block{}};
  const bool joined = together == Together::heads || norm_traits(problem).over_all_heads || problem.model_dim > 0;
  if (problem.batch == 1 && (joined || problem.groups == 1)) return {Block{}};
  // Rows of a ragged batch are cut alike, by the longest: the cut is then one number.
  const double row = work / static_cast<double>(problem.batch), per_group = row / static_cast<double>(problem.groups);
  const Index at_once = joined ? problem.groups : std::clamp<Index>(static_cast<Index>(most / per_group), 1, problem.groups);
  const Index per = problem.heads / problem.groups;
  std::vector<Block> blocks;
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index group = 0; group < problem.groups; group += at_once)
      blocks.push_back({b, group * per, std::min(at_once, problem.groups - group) * per});
  }
  return blocks;
}

Problem block_problem(const Problem& problem, const Block& block) {
  if (block.whole()) return problem;
  Problem part = problem;
  part.batch = 1;
  part.context = {problem.context_of(block.row)};
  part.heads = block.heads;
  part.groups = block.heads * problem.groups / problem.heads;
  return part;
}

Box box_of(const Problem& problem, const Block& block, const std::string& tensor, const std::vector<Index>& whole_shape) {
  Box box{whole_shape, std::vector<Index>(whole_shape.size(), 0)};
  if (block.whole()) return box;
  for (const Axis& axis : axes_of(problem, tensor)) {
    box.first.at(axis.place) = begin_of(problem, block, axis);
    box.shape.at(axis.place) = extent_of(problem, block, axis);
  }
  return box;
}

void for_each_run(const Box& box, const std::vector<Index>& whole_shape, const std::function<void(Index, Index, Index)>& body) {
  // Axes kept whole are one run with the axis before them.
  std::size_t inner = whole_shape.size();
  Index count = 1;
  while (inner > 0 && box.shape[inner - 1] == whole_shape[inner - 1]) count *= whole_shape[--inner];
  if (inner > 0) count *= box.shape[--inner];
  Index runs = count == 0 ? 0 : 1;
  for (std::size_t axis = 0; axis < inner; ++axis) runs *= box.shape[axis];
  for (Index run = 0; run < runs; ++run) {
    Index rest = run, stride = 1, place = 0;
    for (std::size_t axis = whole_shape.size(); axis-- > 0;) {
      const Index at = axis < inner ? rest % box.shape[axis] : 0;
      if (axis < inner) rest /= box.shape[axis];
      place += (box.first[axis] + at) * stride;
      stride *= whole_shape[axis];
    }
    body(run * count, place, count);
  }
}

void move_to_whole(const Problem& problem, const Block& block, const std::string& tensor, std::vector<Index>& index) {
  if (index.empty() || block.whole()) return;
  for (const Axis& axis : axes_of(problem, tensor)) index.at(axis.place) += begin_of(problem, block, axis);
}

}  // namespace equinorm::problem
