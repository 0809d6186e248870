// `verify --mutant` of the faults that no exact check can show.
#pragma once

#include "paths/mutants.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Runs the absorbed form in the storage format with fp32 inside, right and with the fault, in the plan that the fault needs on `whole`,
/// the problem that this is a block of; what no query sees is NaN where the fault is to read it. The row says how many elements of the
/// faulty output o are not finite, `right_nonfinite` how many of the right one.
verdict::ErrorRow run_structural_mutant(const paths::Mutant& mutant, const problem::Problem& problem, const tensor::TensorMap& inputs,
                                        const problem::Problem& whole, problem::Index& right_nonfinite);

/// Fills verdict and detail of such a row: `nonfinite` if the faulty output is not finite and the right one is, else `undecided`.
void settle_structural(problem::Index right_nonfinite, verdict::ErrorRow& row);

/// What to tell about a mutant that some exact check cannot show; empty: all can.
std::string why_not_exact(const paths::Mutant& mutant);

}  // namespace equinorm::commands
