// Bug or rounding, for a kernel on the virtual GPU: its outputs with every rounding removed, beside the formula.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/runner.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Agreement, in bits of a tensor's largest element, from which a kernel is said to compute the formula; two doubles carry about 100.
inline constexpr double kAgreeingBits = 90;

/// A second runner of the same kernel, in a process of its own.
using OpenAgain = std::function<std::unique_ptr<kernels::Runner>()>;

/// What the runs with shadows say.
struct Explained {
  std::vector<verdict::ExactCheck> checks;  ///< one for each output
  std::optional<verdict::Explanation> explanation;
  std::vector<std::string> notes;  ///< what the run said of itself
};

/// Runs the kernel with shadow values and compares them with the exact outputs (balls of 320 bits). One check for each output: `equal` when
/// they agree to kAgreeingBits, `different` when they do not although no shadow was lost, else `undecided`; of the first that differs the
/// lines that wrote and computed its worst element. Then runs once more for each of the lines that round most, with the roundings of that
/// line alone: what of them reaches each output. Undecided throughout where the kernel does not run on the virtual GPU.
///
/// Those runs are made on as many runners at once as the request has threads; `open_again` opens the ones beside `runner` and may be null.
/// What comes out depends on neither.
Explained explain(kernels::Runner& runner, const OpenAgain& open_again, kernels::Request request, const kernels::PassedTensors& passed,
                  const problem::Problem& problem, const tensor::TensorMap& inputs);

/// Of each output with elements that are not finite although the exact ones are: where the first of them was made. Empty where there is
/// none, or the kernel does not run on the virtual GPU.
std::vector<verdict::OriginRow> origins(kernels::Runner& runner, kernels::Request request, const kernels::PassedTensors& passed,
                                        const verdict::Reference& exact, const kernels::Outcome& outcome);

}  // namespace equinorm::commands
