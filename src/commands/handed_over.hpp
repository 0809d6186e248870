// What the judge hands to a kernel: inputs in the declared dtypes, and the outputs of the stages before its first one.
#pragma once

#include "commands/declared_bound.hpp"
#include "kernels/declaration.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"

namespace equinorm::commands {

/// The tensors of `passed`, in their dtypes: the problem's inputs (exact, since a dtype holds its storage format), positions with their
/// defaults (negative for a query before the first token), handed-over tensors as the nearest number to the exact value, context_lengths.
tensor::TensorMap kernel_inputs(const problem::Problem& problem, const kernels::PassedTensors& passed, const tensor::TensorMap& inputs,
                                const verdict::Reference& exact);

/// What the declared arithmetic makes of the tensors that `choices` says are given: our own emulation of the stages before the kernel.
verdict::Reference earlier_stages(const problem::Problem& problem, const tensor::TensorMap& inputs, const KernelChoices& choices);

/// The same shapes with every floating tensor's numbers in reverse order: other inputs, on which a kernel runs first, so that an output
/// kept from an earlier call shows.
tensor::TensorMap reversed_inputs(const tensor::TensorMap& inputs);

/// The problem with some of its batch rows, in that order, a longest one among them (it sets the shapes); and its inputs.
problem::Problem take_rows(problem::Problem problem, const std::vector<problem::Index>& rows);
tensor::TensorMap take_rows(const tensor::TensorMap& tensors, const std::vector<kernels::Passed>& specs,
                            const std::vector<problem::Index>& rows);

}  // namespace equinorm::commands
