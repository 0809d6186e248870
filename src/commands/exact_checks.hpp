// The three exact checks of a case, as results.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "inputs/sample.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// (a) Prime field at full size.
verdict::ExactCheck prime_field_check(const problem::Problem& problem, const std::string& mutant);
/// (b) Rationals on shrunk dims.
verdict::ExactCheck rational_check(const problem::Problem& problem, const std::string& mutant);
/// (c) Precision ladder with the true functions: the whole problem where that is cheap, else a seeded sample.
verdict::ExactCheck ladder_check(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant);

/// Multiply-adds of one precision of the ladder.
double ladder_work(const problem::Problem& problem);

}  // namespace equinorm::commands
