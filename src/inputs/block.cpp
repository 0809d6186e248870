#include "inputs/block.hpp"

#include <algorithm>

#include "problem/norm_traits.hpp"

namespace equinorm::inputs {

using problem::Index;
using problem::Problem;

std::vector<Block> blocks_of(const Problem& problem, double work, double most) {
  if (!(work > most)) return {Block{}};
  const bool joined = problem::norm_traits(problem).over_all_heads || problem.model_dim > 0;
  if (problem.batch == 1 && (joined || problem.groups == 1)) return {Block{}};
  // Rows of a ragged batch are cut alike, by the longest: the cut is then one number.
  const double row = work / static_cast<double>(problem.batch), per_group = row / static_cast<double>(problem.groups);
  const Index together = joined ? problem.groups : std::clamp<Index>(static_cast<Index>(most / per_group), 1, problem.groups);
  const Index per = problem.heads / problem.groups;
  std::vector<Block> blocks;
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index group = 0; group < problem.groups; group += together)
      blocks.push_back({b, group * per, std::min(together, problem.groups - group) * per});
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

tensor::TensorMap block_inputs(const Problem& problem, const tensor::TensorMap& inputs, const Block& block) {
  if (block.whole()) return inputs;
  Selection kept;
  kept.rows = {block.row};
  kept.queries = range(0, problem.queries);
  kept.heads = range(block.first_head, block.heads);
  kept.groups = range(problem.group_of(block.first_head), block.heads * problem.groups / problem.heads);
  kept.tokens = range(0, problem.context_of(block.row));
  tensor::TensorMap part;
  for (const auto& [name, values] : inputs) part.emplace(name, select(problem, name, values, kept));
  return part;
}

void move_to_whole(const Block& block, const std::string& name, std::vector<Index>& index) {
  if (index.empty() || block.whole()) return;
  index[0] += block.row;
  if (name == "logits" || name == "lse" || name == "p") index[1] += block.first_head;
  if (name == "o" || name == "o_gated" || name == "u" || name == "q_tilde" || name == "q_hat") index[2] += block.first_head;
}

}  // namespace equinorm::inputs
