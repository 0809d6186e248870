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
  bounds::LogitTerms content;  ///< content logits; gqa: the whole ones
  bounds::LogitTerms whole;    ///< sum over content and RoPE blocks of the explicit operands alone
  bounds::OutputTerms output;
  double scale = 0;  ///< of the softmax
};

/// From a run in fp64 on at most 16 heads; for gqa the deferred form takes the absorbed one's place, its keys without alpha_k that of the
/// latents. Empty, with a note, where the keys are too many.
Amplification measure_amplification(const StorageViews& views, std::vector<std::string>& notes);

/// Fills predicted, kappa_w, kappa_2, kappa_centred and kappa_v of a row where there is a formula for its tensor.
void predict(const problem::Problem& problem, const Amplification& amplification, report::StorageRow& row);

}  // namespace equinorm::commands
