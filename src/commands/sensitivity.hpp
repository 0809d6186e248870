// Which wrong forms a case catches under its own bounds: the certificate that it can fail.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "paths/mutants.hpp"
#include "problem/block.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/judge.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// The wrong forms that are another function than the right one on this problem, in the catalogue's order.
std::vector<const paths::Mutant*> mutants_of(const problem::Problem& problem);

/// What a run of one mutant on a problem, or on a block of it, comes to; indices are those of the whole problem.
struct JudgedMutant {
  std::vector<verdict::ErrorRow> rows;         ///< one of each tensor
  std::vector<verdict::Judgement> judgements;  ///< of the rows; none of a structural fault
  std::map<std::string, double> max_exact;     ///< by tensor, over its finite exact values
  problem::Index right_nonfinite = 0;          ///< structural fault: elements that are not finite without it
};
inline auto members(JudgedMutant& x) { return std::tie(x.rows, x.judgements, x.max_exact, x.right_nonfinite); }

/// Runs mutants in place of the absorbed form, in the case's declared arithmetic, and judges all their tensors under that arithmetic's
/// bounds. References and bounds are made once. Keeps references to its arguments.
class Sensitivity {
 public:
  Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs);
  /// Of a block of a problem: mutants run in the plan that they ask for on `whole`.
  Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs, const problem::Problem& whole);
  /// Every tensor of a run of the mutant, judged. Depends on the problem, the inputs and the mutant alone.
  JudgedMutant judge(const paths::Mutant& mutant);
  /// The same in one row.
  verdict::MutantRow row(const paths::Mutant& mutant);

 private:
  class Judge;
  std::shared_ptr<Judge> judge_;
};

/// Runs and judges a mutant on a block, in the plan that it asks for on the whole problem, whose `inputs` these are. The block must be one
/// on which it is the same fault: paths/reach.hpp.
JudgedMutant judge_mutant_on(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant,
                             const problem::Block& block);
/// Adds what was found on another block.
void join(JudgedMutant& whole, JudgedMutant&& part);

/// The rows of the blocks together. Where none fails, what lies within its bound is undecided: the fault is there, and this case does not
/// show it.
std::vector<verdict::ErrorRow> settled(JudgedMutant&& judged);

/// The rows of a mutant on a problem in one piece.
std::vector<verdict::ErrorRow> judge_mutant(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant);

}  // namespace equinorm::commands
