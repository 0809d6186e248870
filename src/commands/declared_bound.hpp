// How far an implementation in the problem's declared precision may be, whatever it did not declare.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "bounds/bounds.hpp"
#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"

namespace equinorm::commands {

/// What a kernel says beside its precision: the tensors that it is handed, and where alpha_q is applied (none: not said).
struct KernelChoices {
  bounds::Given given;
  std::optional<bool> folds_alpha_q;
};

/// Bounds of the outputs in `names`, of `precision.path` where that form has them, the largest over the choices that the declaration leaves
/// open: where alpha_q is applied, whether the denominator sums the stored p, how splits are joined, exp or exp2, FMA or not. Where inputs
/// do not fit the storage format, what rounding them does to the exact value is added. Empty where the declared formats have no bounds.
bounds::Bounds declared_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const verdict::Reference& reference,
                               const std::set<std::string>& names, const KernelChoices& choices = {});

/// Probable bounds of logits and o under the same declaration, and the probability that an element exceeds its own. Empty where the model
/// of random rounding errors does not hold, where inputs had to be rounded, and where the problem is so large that they would take minutes.
struct DeclaredProbable {
  bounds::Bounds bounds;
  double miss = 0;
};
DeclaredProbable declared_probable_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs,
                                          const verdict::Reference& reference, const std::set<std::string>& names);

/// "bf16 storage, fp32 accumulation, ..., absorbed form": what the bounds speak of.
std::string describe_declaration(const problem::Precision& precision);

}  // namespace equinorm::commands
