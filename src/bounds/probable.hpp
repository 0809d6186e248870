// Probable bounds (kind E): how far random rounding errors take a logit or an output, beside what they could do at worst.
//
// The model: rounding errors are random, each of zero mean given those before it, within its rigorous bound b. The first-order error sum
// w_k delta_k then exceeds lambda sqrt(sum (w_k b_k)^2) with a probability of at most 2 exp(-lambda^2 / 2) for each element (Azuma,
// Hoeffding; Connolly, Higham, Mary 2021). Statistics and exponentials, whose errors have a bias, and subnormal numbers, whose errors are
// alike, are charged in full. What storing does to q_hat, k_hat, g and q_tilde is no random matter where it is known: it moves the logits,
// and what is left of those errors is random. Structured data (constants, equal tokens) make rounding errors equal and may exceed these
// bounds: they only arouse suspicion.
#pragma once

#include "bounds/average.hpp"

namespace equinorm::bounds {

/// Roundings that all tokens of a query row share: entry w of row i moves logit t by at most size_iw |direction_tw|, sizes squared.
struct SharedRoundings {
  Tensor<double> squares;    ///< [n,width]
  Tensor<double> direction;  ///< [T,width]
};

/// All [n,T], in units of the logit.
struct ProbableScores {
  Tensor<double> variance;  ///< sum b^2 of the roundings that belong to one token
  Tensor<double> fixed;     ///< what is charged in full
  Tensor<double> bound;     ///< of the logit itself; at most its rigorous bound
  std::vector<SharedRoundings> shared;
  std::vector<Moves> moves;  ///< for each product, what storing its factors does to the score, if they are stored
};

/// Of the logits; not machine-checked.
ProbableScores probable_scores(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys,
                               const Queries& queries, const Scores& scores, double lambda);

/// Of o, [n,d_v], not yet held to its rigorous bound: errors of the logits enter through p_t (v_t - o), centred, tokens apart from each
/// other, shared roundings and known moves token by token into one. `values` are v, `average` their mean o.
/// Not machine-checked.
Tensor<double> probable_average(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const Scores& scores,
                                const ProbableScores& probable, const std::vector<RowWeights>& weights, const Values& values,
                                const AverageBound& average, double lambda);

}  // namespace equinorm::bounds
