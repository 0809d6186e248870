// A case made small enough to be run thousands of times a minute.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::commands {

/// The fields to override, with their values, so that one run of the problem takes about a millisecond and its structure stays: one row of
/// at most 6 tokens and 2 queries, 2 heads per group where heads share, tiles and splits that still divide the row. Empty where the problem
/// is that small already: what the user made small is hunted as it is.
std::vector<std::pair<std::string, std::string>> smaller_fields(const problem::Problem& problem);

}  // namespace equinorm::commands
