// `verify --mutant` of the faults that no exact check can show.
#pragma once

#include "paths/mutants.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Runs the absorbed form in the storage format with fp32 inside, right and with the fault, in the plan that the fault needs; what no query
/// sees is NaN where the fault is to read it. Adds an error row that says `nonfinite` if the faulty output o is not finite and the right
/// one is, else `undecided`.
void run_structural_mutant(const paths::Mutant& mutant, const problem::Problem& problem, const tensor::TensorMap& inputs,
                           verdict::CaseResult& result);

/// What to tell about a mutant that some exact check cannot show; empty: all can.
std::string why_not_exact(const paths::Mutant& mutant);

}  // namespace equinorm::commands
