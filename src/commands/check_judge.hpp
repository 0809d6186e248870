// One output of a kernel: brought to the house's conventions, then held against its bound.
#pragma once

#include <string>
#include <vector>

#include "bounds/bounds.hpp"
#include "commands/known_faults.hpp"
#include "kernels/runner.hpp"
#include "verdict/measure.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// The verdict on a kernel's conduct that the end of its run is.
verdict::Verdict verdict_of(kernels::RunStatus status);

/// Elements that nobody looks at, whatever stands there: of tokens past a row's context, of an empty row's output where it is not declared
/// to be zero, and of the rotated query (q_hat, q_rope_hat) at a negative position, for which no rotation is defined.
class Exemptions {
 public:
  /// Positions are those of `inputs`, by default the problem's.
  Exemptions(const kernels::Declaration& declaration, const problem::Problem& problem, const tensor::TensorMap& inputs);

  bool holds(const problem::TensorSpec& spec, problem::Index flat) const;
  /// Sets them to zero in `got`, whose shape is that of `spec`.
  void clear(const problem::TensorSpec& spec, tensor::AnyTensor& got) const;

 private:
  bool any(const std::string& name) const;

  const kernels::Declaration& declaration_;
  const problem::Problem& problem_;
  std::vector<bool> before_first_;  ///< [B,S]: the query's position is negative
  bool any_before_first_ = false;
};

/// A bound for an exempt element that holds its exact value, and is no element's that shows.
double exempt_bound(const verdict::ReferenceTensor& exact, problem::Index flat);

/// Judges `got` (its dtype and shape are those declared). Conventions: a base-2 lse is taken to base e (its own rounding is allowed for),
/// the declared stand-in for an empty row's lse becomes -inf, exempt elements count as right. `bounds` lacks the tensor where the
/// declared arithmetic has no bounds: undecided, as is a tensor with exempt elements alone.
verdict::ErrorRow judge_output(const kernels::Declaration& declaration, const problem::Problem& problem, const Exemptions& exemptions,
                               const kernels::Passed& passed, const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact,
                               const bounds::Bounds& bounds);

/// The outputs of one run as known_faults() takes them: the same conventions, exempt elements without a bound.
std::vector<JudgedOutput> judged_outputs(const kernels::Declaration& declaration, const problem::Problem& problem,
                                         const Exemptions& exemptions, const std::vector<kernels::Passed>& passed,
                                         const tensor::TensorMap& got, const verdict::Reference& exact, const bounds::Bounds& bounds);

}  // namespace equinorm::commands
