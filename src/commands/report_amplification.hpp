// The amplification terms of a whole problem, and what they predict of a stored tensor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bounds/amplification.hpp"
#include "commands/storage_views.hpp"
#include "inputs/block.hpp"
#include "report/report.hpp"

namespace equinorm::commands {

struct Amplification {
  bounds::LogitTerms content;  ///< content logits; gqa: the whole ones
  bounds::LogitTerms whole;    ///< sum over content and RoPE blocks of the explicit operands alone
  bounds::OutputTerms output;
  double scale = 0;  ///< of the softmax
};

/// The sums over a block (inputs/block.hpp) of `whole`, whose inputs the views hold; blocks add up, `scale` is that of all. From a run in
/// fp64, of at most 16 heads of the whole problem; for gqa the deferred form takes the absorbed one's place, its keys without alpha_k that
/// of the latents. Empty where the whole problem's keys are too many.
Amplification measure_amplification(const StorageViews& views, const problem::Problem& whole, const inputs::Block& block);

/// Whether a problem's keys are too many to be kept for it.
bool too_many_keys(const problem::Problem& problem);

/// What is to be said about it: that keys are too many, or that not all heads count.
std::vector<std::string> amplification_notes(const problem::Problem& problem);

/// Fills predicted, kappa_w, kappa_2, kappa_centred and kappa_v of a row where there is a formula for its tensor.
void predict(const problem::Problem& problem, const Amplification& amplification, report::StorageRow& row);

}  // namespace equinorm::commands
