// Which wrong forms a case catches under its own bounds: the certificate that it can fail.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Runs every mutant that applies in place of the absorbed form, in the case's declared arithmetic, and judges all its tensors under that
/// arithmetic's bounds. `progress` is called before each mutant.
std::vector<verdict::MutantRow> sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs,
                                            const std::function<void(const std::string&)>& progress);

/// The rows of one mutant's tensors, judged as above. Where none fails, what lies within its bound is undecided: the fault is there, and
/// this case does not show it.
std::vector<verdict::ErrorRow> judge_mutant(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant);

}  // namespace equinorm::commands
