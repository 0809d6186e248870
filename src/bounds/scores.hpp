// Stage `score`: logits of some query rows against every token, and how far the declared arithmetic's may be.
#pragma once

#include "bounds/contraction.hpp"
#include "bounds/queries.hpp"

namespace equinorm::bounds {

/// All [n,T]. Where live is 0 the logit is -inf for every arithmetic and the other entries are 0.
struct Scores {
  Tensor<double> logit;     ///< exact value, evaluated in binary64
  Tensor<double> radius;    ///< |kernel - exact|; infinite where nothing can be said
  Tensor<double> unshared;  ///< the part of radius that another form with the same statistics and RoPE scores does not share
  Tensor<double> own;       ///< |logit - exact|: what binary64 itself may lose here; empty until someone says
  Tensor<std::uint8_t> live;
};

/// How far storing g, q_tilde or both moves z = q_tilde c of the absorbed form, in units of the explicit product. Proof:
/// absorbed_exact_error.
Moves latent_moves(const Setting& at, const RowKeys& row, const GroupKeys& keys, const Queries& queries);

/// Running bounds of the explicit form (dot product of inexact vectors, then one common factor) and of the absorbed one (the rounding of g
/// is charged against k0 = c W_K itself, not against |c| |W_K|), scale and soft-cap. Proof: dot_stage, latent_stage, outside_stage,
/// joined_stage, logit_stage, score_stages, explicit_exact_error, absorbed_exact_error, factor_product, soft_cap_error, constant_product,
/// dot_finite_guard, absolute_sum_guard, norm_guard, joined_guard, own_of_radius, centre_latent.
Scores make_scores(const Setting& at, const RowKeys& row, const GroupKeys& keys, const Queries& queries,
                   const std::vector<QueryIndex>& rows);

}  // namespace equinorm::bounds
