// The three exact checks of a case, as results.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "exact/equality.hpp"
#include "inputs/sample.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// (a) Prime field at full size.
verdict::ExactCheck prime_field_check(const problem::Problem& problem, const std::string& mutant);
/// Whether that check is run at all: not where it cannot show the fault.
bool runs_prime_field(const std::string& mutant);
/// The same check from its pieces, which took `seconds`.
verdict::ExactCheck joined_prime_field_check(const problem::Problem& problem, const std::string& mutant,
                                             std::vector<exact::FieldPiece> pieces, double seconds);
/// Bytes that one round of it takes, roughly, with the threads there are.
double prime_field_memory(const problem::Problem& problem);
/// (b) Rationals on shrunk dims.
verdict::ExactCheck rational_check(const problem::Problem& problem, const std::string& mutant);
/// (c) Precision ladder with the true functions: the whole problem where that is cheap, else a seeded sample.
verdict::ExactCheck ladder_check(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant);

/// Multiply-adds of one precision of the ladder.
double ladder_work(const problem::Problem& problem);

}  // namespace equinorm::commands
