#include "inputs/block.hpp"

#include "inputs/selection.hpp"

namespace equinorm::inputs {

tensor::TensorMap block_inputs(const problem::Problem& problem, const tensor::TensorMap& inputs, const Block& block) {
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

}  // namespace equinorm::inputs
