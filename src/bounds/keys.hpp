// Stage `cache_write`: keys of one batch row, their statistics and radii.
#pragma once

#include <memory>

#include "bounds/sources.hpp"

namespace equinorm::bounds {

/// What all groups of a batch row share; of all of its tokens, or of some.
struct RowKeys {
  const Sources* sources = nullptr;
  Index b = 0;
  Index first = 0;  ///< token of the batch row that is row 0 here
  Index tokens = 0;
  Vectors rope;                  ///< [T,d_r] weighted and rotated; normalised where the RoPE block has a statistic of its own
  std::vector<Vectors> k0;       ///< full_width mla: every group's k0; empty where the sums were known before
  std::vector<SquareSums> sums;  ///< full_width: what the one statistic of each token is taken over
};

/// How the kernel takes the problem's statistic of `width` numbers.
StatisticArithmetic statistic_arithmetic(const Setting& at, Index width);

/// Statistics over all groups, and the RoPE keys: weights, rotation, store. Proof: statistic_ratio_exact, normalised_component_error,
/// radius_rope.
RowKeys make_row_keys(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index b);
/// The same of the tokens that `sources` holds, the row's `tokens`; `sums` (full_width): those of the whole row where they are known.
RowKeys make_row_keys(const Setting& at, const paths::PathInputs<double>& in, const Sources& sources, Index b, Tokens tokens,
                      const std::vector<SquareSums>& sums);

/// Keys of one group.
struct GroupKeys {
  Vectors k0;                      ///< mla, [T,d_c]: c W_K (3)
  std::vector<double> alpha, rho;  ///< [T] 1/S and its error as stored; 1 and 0 without a norm
  std::vector<double> rounding;    ///< [T] error of forming 1/S from exact keys, before it is stored; 0 without a norm
  Vectors content;                 ///< [T,d_c], gqa [T,d]: k_hat; in gqa's deferred form without alpha_k
  Vectors rope;                    ///< unified, explicit: the group's own RoPE keys; else empty
};

/// What of the keys of mla is looked at; the rest is left out, its errors infinite.
struct KeyNeeds {
  bool errors = true;          ///< of k0, and so of alpha_k
  bool content = true;         ///< k_hat
  bool content_errors = true;  ///< of k_hat: the absorbed form forms none, others may be handed theirs
};

/// k0 = c W_K, alpha_k as stored, k_hat: radii of the stage cache_write. Proof: projected_component_error, statistic_ratio_exact,
/// stored_ratio, normalised_component_error.
GroupKeys make_group_keys(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const KeyNeeds& needs = {});

/// cos and sin of a position, and where the rotated dims begin; null where nothing turns.
void set_rotation(const Setting& at, const paths::PathInputs<double>& in, Index position, Finish& finish);

}  // namespace equinorm::bounds
