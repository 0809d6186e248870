// Random small valid problems, and inputs for them, for randomised cross-checks.
#pragma once

#include <cstdint>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::reference {

/// A valid problem (problem::validate has accepted it) drawn from `seed`, the same on every machine: B <= 3, S <= 4, T <= 12, H <= 6, r <=
/// 10, head widths <= 14, and every scheme, kind, weight, layout, mask, start and storage format, with lists of lengths that include 0, 1
/// and T_b < S. Its input kind is "normal" with the same seed.
problem::Problem random_small_problem(std::uint64_t seed);

/// Inputs for any problem, drawn from `seed` without src/inputs: small numbers in the storage format (gammas near 1, or near 0 when
/// zero-centred), the padding included; RoPE tables of fp32 pairs that are *not* the true angles; for one seed in three, explicit positions
/// in no particular order.
tensor::TensorMap random_inputs(const problem::Problem& problem, std::uint64_t seed);

/// One line that tells the problem apart, for INFO(): seed, dimensions and variants.
std::string describe(const problem::Problem& problem);

}  // namespace equinorm::reference
