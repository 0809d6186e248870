#include "commands/check_in_path.hpp"

#include <fmt/format.h>

#include "commands/block_outputs.hpp"
#include "commands/handed_over.hpp"
#include "commands/reference.hpp"

namespace equinorm::commands {

using problem::Index;

std::optional<inputs::Block> in_path_block(const problem::Problem& problem, double most) {
  Index longest = 0;
  for (Index b = 0; b < problem.batch; ++b) longest = problem.context_of(b) > problem.context_of(longest) ? b : longest;
  inputs::Block chosen;
  for (const inputs::Block& block : inputs::blocks_of(problem, work_of(problem), most)) {
    if (block.whole() || block.row == longest) chosen = block;
  }
  constexpr double kAtMost = 4;  // a group may take a little more than was asked for
  if (work_of(inputs::block_problem(problem, chosen)) > kAtMost * most) return std::nullopt;
  return chosen;
}

InPath in_path(const problem::Problem& problem, const kernels::PassedTensors& passed, const tensor::TensorMap& inputs,
               const verdict::Reference& exact, const std::set<std::string>& names, const KernelChoices& choices,
               const inputs::Block& block) {
  InPath part{.block = block,
              .sampled = {},
              .problem = inputs::block_problem(problem, block),
              .inputs = {},
              .exact = {},
              .handed = {},
              .bounds = {}};
  part.inputs = inputs::block_inputs(problem, inputs, block);
  for (const std::string& name : names) part.exact.emplace(name, take_block(problem, block, name, exact.at(name)));
  if (!block.whole())
    part.sampled = fmt::format("row {} of {}, heads {} to {} of {}", block.row, problem.batch, block.first_head,
                               block.first_head + block.heads - 1, problem.heads);
  verdict::Reference handed;
  for (auto& [name, emulated] : earlier_stages(part.problem, part.inputs, choices)) {
    verdict::ReferenceTensor whole{exact.at(name).value, {}, {}};
    put_block(problem, block, name, emulated.value, whole.value);
    handed.emplace(name, std::move(whole));
  }
  part.handed = kernel_inputs(problem, passed, inputs, handed);
  part.bounds = declared_bounds(part.problem, part.inputs, part.exact, names, {{}, choices.folds_alpha_q});
  return part;
}

}  // namespace equinorm::commands
