// The amplification terms of a whole problem, and what they predict of a stored tensor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bounds/amplification.hpp"
#include "commands/storage_views.hpp"
#include "report/report.hpp"

namespace equinorm::commands {

struct Amplification {
  bounds::LogitTerms content;  ///< content logits
  bounds::LogitTerms whole;    ///< sum over content and RoPE blocks of the explicit operands alone
  bounds::OutputTerms output;
  double scale = 0;  ///< of the softmax
};

/// From a run in fp64 on at most 16 heads. Empty, with a note, where the problem has no such terms (gqa; from x) or its keys are too many.
Amplification measure_amplification(const StorageViews& views, std::vector<std::string>& notes);

/// Fills predicted, kappa_w, kappa_2 and kappa_v of a row where there is a formula for its tensor.
void predict(const problem::Problem& problem, const Amplification& amplification, report::StorageRow& row);

}  // namespace equinorm::commands
