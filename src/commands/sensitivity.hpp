// Which wrong forms a case catches under its own bounds: the certificate that it can fail.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "paths/mutants.hpp"
#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// The wrong forms that are another function than the right one on this problem, in the catalogue's order.
std::vector<const paths::Mutant*> mutants_of(const problem::Problem& problem);

/// Runs mutants in place of the absorbed form, in the case's declared arithmetic, and judges all their tensors under that arithmetic's
/// bounds. References and bounds are made once. Keeps references to its arguments.
class Sensitivity {
 public:
  Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs);
  /// Every tensor of a run of the mutant, judged. Depends on the problem, the inputs and the mutant alone.
  std::vector<verdict::ErrorRow> judge(const paths::Mutant& mutant);
  /// The same in one row.
  verdict::MutantRow row(const paths::Mutant& mutant);

 private:
  class Judge;
  std::shared_ptr<Judge> judge_;
};

/// The rows of one mutant's tensors, judged as above. Where none fails, what lies within its bound is undecided: the fault is there, and
/// this case does not show it.
std::vector<verdict::ErrorRow> judge_mutant(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant);

}  // namespace equinorm::commands
