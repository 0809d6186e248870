// How a path is carried out: formats, rounding points, and the legal choices that leave the exact value alone.
#pragma once

#include "problem/precision.hpp"

namespace equinorm::paths {

/// How the partial results of split-KV are joined.
enum class Combine : std::uint8_t {
  unnormalised,  ///< (reference, sum, accumulator) of each split, rescaled to a common reference, divided once
  lse            ///< normalised outputs weighted by exp(lse_k - lse)
};

/// An arithmetic plan. Every member may change roundings; none may change the exact value.
struct Plan {
  problem::Precision precision;     ///< formats, stored tensors, reduction order, tile, splits, ftz
  bool fused = true;                ///< contractions add exact products (FMA); else each product is rounded first
  bool fold_alpha_q = true;         ///< alpha_q multiplies the query before the contraction; else it is applied to the score tile
  bool denominator_rounded = true;  ///< the softmax denominator sums the stored (rounded) p
  Combine combine = Combine::unnormalised;
};

}  // namespace equinorm::paths
