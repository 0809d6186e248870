// Bug or rounding, for a kernel on the virtual GPU: its outputs with every rounding removed, beside the formula.
#pragma once

#include <string>
#include <vector>

#include "kernels/runner.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Agreement, in bits of a tensor's largest element, from which a kernel is said to compute the formula; two doubles carry about 100.
inline constexpr double kAgreeingBits = 90;

/// Runs the kernel once with shadow values and compares them with the exact outputs (balls of 320 bits). One check for each output:
/// `equal` when they agree to kAgreeingBits, `different` when they do not although no shadow was lost, else `undecided`. Adds to `notes`
/// what the run said of itself and which source lines round. Undecided throughout where the kernel does not run on the virtual GPU.
std::vector<verdict::ExactCheck> explain(kernels::Runner& runner, kernels::Request request, const kernels::PassedTensors& passed,
                                         const problem::Problem& problem, const tensor::TensorMap& inputs, std::vector<std::string>& notes);

}  // namespace equinorm::commands
