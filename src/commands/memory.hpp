// Refuses work that cannot fit, before it starts.
#pragma once

#include "problem/problem.hpp"

namespace equinorm::commands {

/// Throws Error when the score tensors [B,H,S,T] of `verify` (exact ones of both forms, or measured ones with their reference) would take more than
/// four fifths of this machine's memory; everything else grows with one factor less.
void check_memory(const problem::Problem& problem);

}  // namespace equinorm::commands
