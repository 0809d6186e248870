// What the sums of a softmax average lose, whatever the weights are.
#pragma once

#include "bounds/setting.hpp"

namespace equinorm::bounds {

/// The plan's tiles and splits over T tokens.
struct Tiling {
  Tiling(const Setting& at, Index tokens);
  Index splits, length, tile, tiles;
  bool by_lse;
};

/// phi_N, phi_D: relative errors of numerator and denominator, and what underflow adds to either, already relative in the latter.
struct AverageSums {
  double numerator, denominator;
  double numerator_underflow;
  double least_sum;  ///< lower bound of the denominator, the largest weight being 1
};

/// With at most `rescales` changes of a token's reference, and logits of at most `largest` as the kernel holds them. Proof:
/// accumulated_average_error, kernel_average_error, least_weight.
AverageSums average_sums(const Setting& at, Index tokens, Index rescales, double largest);

/// X: how far the kernel's own exponentials, rescales, splits and rounded p are from exp of its own logits, as a shift of these, for logits
/// of at most `largest` whose reference changes at most `rescales` times. Proof: online_weight, exp2_weight, lse_split_weight,
/// rescales_telescope, exp2_allowance, split_allowance, split_allowance_base_two.
double largest_shift(const Setting& at, Index tokens, Index rescales, double largest);

}  // namespace equinorm::bounds
