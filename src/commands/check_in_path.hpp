// A kernel inside the whole path: what comes before it is computed in the declared arithmetic too.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "commands/declared_bound.hpp"
#include "inputs/block.hpp"
#include "kernels/declaration.hpp"

namespace equinorm::commands {

/// Multiply-adds of the path up to which the stages before a kernel are emulated: half a minute. Of a larger problem a sample is: one row,
/// as many heads.
inline constexpr double kInPathWork = 1e11;

/// The part of a problem on which a kernel is judged end to end.
struct InPath {
  inputs::Block block;       ///< whole, or the sample
  std::string sampled;       ///< what the sample is; "" where it is the whole problem
  problem::Problem problem;  ///< of the block
  tensor::TensorMap inputs;  ///< of the block
  verdict::Reference exact;  ///< outputs of the block
  tensor::TensorMap handed;  ///< what the kernel gets, whole: handed-over tensors emulated in the block, exact elsewhere
  bounds::Bounds bounds;     ///< of the whole path, for the block
};

/// The block of the longest row with the last heads that `most` multiply-adds allow; the whole problem where that is no more. Nothing where
/// a single row, or a group of heads that stays together, takes several times as much.
std::optional<inputs::Block> in_path_block(const problem::Problem& problem, double most);

/// Emulates the stages before the kernel on the block, and bounds the path there. `exact` holds the outputs in `names` and the handed-over
/// tensors of the whole problem.
InPath in_path(const problem::Problem& problem, const kernels::PassedTensors& passed, const tensor::TensorMap& inputs,
               const verdict::Reference& exact, const std::set<std::string>& names, const KernelChoices& choices,
               const inputs::Block& block);

}  // namespace equinorm::commands
