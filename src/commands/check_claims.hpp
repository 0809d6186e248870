// Bits of a kernel's outputs, run against run: reproducibility and invariance claims.
#pragma once

#include <functional>
#include <string>

#include "kernels/runner.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

bool same_bits(const tensor::AnyTensor& a, const tensor::AnyTensor& b);

/// "u[0,0,3,17]" of the first element whose bits differ, in name order; empty: none does.
std::string first_difference(const kernels::Outcome& a, const kernels::Outcome& b);

struct ClaimRuns {
  const std::function<kernels::Outcome(const kernels::Request&)>& run;
  const problem::Problem& problem;
  const kernels::PassedTensors& passed;
  const kernels::Request& request;
  const kernels::Outcome& whole;  ///< of `request`
};

/// The rows in reverse order, and the longest row alone, must give the bits that they gave together. Needs more than one row.
verdict::ConductRow batch_invariance(const ClaimRuns& runs);
/// 1, 2, 3 and 8 splits must give the bits that the judged run gave.
verdict::ConductRow split_invariance(const ClaimRuns& runs);

}  // namespace equinorm::commands
