// Simple relations between an output and its exact value that a known fault leaves.
#pragma once

#include <vector>

#include "commands/known_faults.hpp"

namespace equinorm::commands {

/// Relations of one failing output to its exact value, and to other exact values in `exact`, that hold within the bounds of
/// distance_to(): times a factor (named where it is sqrt(d), log2(e), the scale, ...), plus a constant (lse and logits), tokens, heads or
/// queries exchanged in memory, rotated pairs regrouped, the statistic for its inverse, a gate or alpha_q that was left out or put in.
std::vector<verdict::FaultRow> closed_forms(const problem::Problem& problem, const JudgedOutput& output, const verdict::Reference& exact);

}  // namespace equinorm::commands
