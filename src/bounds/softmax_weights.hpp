// Stages `softmax` and `value`: how far the weights of a softmax average may be, tiles, splits and all.
#pragma once

#include "bounds/scores.hpp"

namespace equinorm::bounds {

/// One row of weights. The kernel averages with w_t = exp(logit_t + d_t) + omega_t, |d_t| <= shift_t: errors of the logits, of exp, of
/// rescales and of the stored p alike are perturbations of the logits.
struct RowWeights {
  bool live = false;   ///< a token or a sink is in the denominator
  bool known = false;  ///< every logit has a finite radius
  double lse = 0;
  double lse_radius = 0;
  std::vector<double> p;         ///< [T] exact softmax, in binary64
  std::vector<double> p_radius;  ///< [T] of a materialised p
  std::vector<double> upper;     ///< [T] >= the kernel's normalised weight
  std::vector<double> move;      ///< [T] sum_t move_t |y_t - y| bounds what wrong weights do to an average
  std::vector<double> own;       ///< [T] the same for binary64's own p
  std::vector<double> lost;      ///< [T] underflow of a stored p that the denominator does not share
  std::vector<double> shift;     ///< [T] the part of shift_t that is the kernel's own: exp, rescales, splits; rounded p apart
  std::vector<double> omega;     ///< [T]
  double move_sink = 0, upper_sink = 0;
  bool normalised = true;  ///< the kernel's weights sum to 1 but for roundings
  bool bounded = false;    ///< move and upper are finite; else only convexity helps
  double numerator = 0;    ///< phi_N: relative error of the weighted sum
  double denominator = 0;  ///< phi_D
  double numerator_underflow = 0;
  double p_rounding = 0;  ///< u_P where the denominator sums unrounded weights
  double least_sum = 1;   ///< lower bound of the denominator, the largest weight being 1
};

/// Weights of row i of `scores`; `sink` null without one. Proof: online_weight, exp2_weight, exp2_product_weight, exp2_allowance,
/// lse_split_weight, split_allowance, split_allowance_base_two, rescales_telescope (the perturbations), weighted_average_error, own_logits,
/// shift_evaluation (move), weighted_average_upper, least_sum_low (upper), lse_error, computed_lse_error, computed_lse_error_known (lse),
/// kernel_probability_upper, kernel_probability_lower (p), weights_own, others_evaluated, argument_above (binary64's own),
/// normal_weight.
RowWeights make_weights(const Setting& at, const Scores& scores, Index i, const double* sink);

/// Weights of row i where the kernel is handed p itself, `p_radius` [T] from exact: they are summed up as they are, without a denominator,
/// so that their errors count in full. Proof: radius_dot_exact, given_average.
RowWeights given_weights(const Setting& at, const Scores& scores, Index i, const double* sink, std::vector<double> p_radius);

}  // namespace equinorm::bounds
