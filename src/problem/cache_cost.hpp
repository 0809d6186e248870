// What one token takes in the cache that the absorbed form reads.
#pragma once

#include "problem/problem.hpp"

namespace equinorm::problem {

/// Bytes of one token in one layer.
struct CacheCost {
  double latent = 0;  ///< c: r numbers of the storage format
  double rope = 0;    ///< the rotated RoPE key, shared by all heads: d_r numbers of the storage format
  double alpha = 0;   ///< alpha_k: one number for each statistic of a token

  double of_latent() const { return alpha / latent; }
  double of_whole() const { return alpha / (latent + rope); }
};

/// The cache of an mla problem with alpha_k kept in `alpha_format`; without QK-norm alpha takes nothing. Throws Error for gqa, which caches
/// whole keys, and for real:BITS.
CacheCost cache_cost(const Problem& problem, Format alpha_format);

}  // namespace equinorm::problem
