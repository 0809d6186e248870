// The problem as kernel.h has it.
#pragma once

#include "kernels/kernel.h"
#include "problem/problem.hpp"

namespace equinorm::kernels {

/// Every field but context_lengths, which stays null.
equinorm_problem abi_problem(const problem::Problem& problem, problem::Index splits, problem::Index tile);

}  // namespace equinorm::kernels
