// One output of a kernel: brought to the house's conventions, then held against its bound.
#pragma once

#include "bounds/bounds.hpp"
#include "kernels/declaration.hpp"
#include "verdict/measure.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Elements that nobody looks at: of tokens past a row's context, and of an empty row's output where it is not declared to be zero.
bool is_exempt(const kernels::Declaration& declaration, const problem::Problem& problem, const problem::TensorSpec& spec,
               problem::Index flat);

/// Sets exempt elements to zero, whatever stood there.
void clear_exempt(const kernels::Declaration& declaration, const problem::Problem& problem, const problem::TensorSpec& spec,
                  tensor::AnyTensor& got);

/// Judges `got` (its dtype and shape are those declared). Conventions: a base-2 lse is taken to base e (its own rounding is allowed for),
/// the declared stand-in for an empty row's lse becomes -inf, exempt elements are not looked at. `bounds` lacks the tensor where the
/// declared arithmetic has no bounds: measured only.
verdict::ErrorRow judge_output(const kernels::Declaration& declaration, const problem::Problem& problem, const kernels::Passed& passed,
                               const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact, const bounds::Bounds& bounds);

}  // namespace equinorm::commands
