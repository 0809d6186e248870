// Stage `query`: explicit q_hat (9), absorbed q_tilde (10), of some rows of one group.
#pragma once

#include "bounds/keys.hpp"

namespace equinorm::bounds {

struct QueryIndex {
  Index s, h;
};

struct Queries {
  std::vector<double> alpha, rho;  ///< [n] 1/S of each query and its error; 1 and 0 without a norm
  Vectors content;                 ///< [n,d_c] (gqa: [n,d]): q_hat, in its own units whatever the form
  Vectors rope;                    ///< [n,d_r]: the RoPE part of q_hat
  Tensor<double> g;                ///< absorbed mla, [n,d_c]: q gamma_q gamma_k [alpha_q]
  bool rope_has_alpha = false;     ///< unified: the kernel's RoPE part holds alpha_q although its content may not
  Tensor<double> g_radius;         ///< absorbed mla, [n,d_c]: error of g; empty: q_tilde bears it all
  Tensor<double> q_tilde;          ///< absorbed mla, [n,r]: g W_K^T
  Tensor<double> g_shift;          ///< [n,d_c]: what storing g does to it, as far as that is known; empty: nothing
  Tensor<double> q_tilde_alone;    ///< [n,r]: what storing q_tilde alone makes of it, g not being stored
  Tensor<double> q_tilde_held;     ///< [n,r]: what storing g and q_tilde makes of it, as far as that is known
  Tensor<double> q_tilde_moved;    ///< [n,r]: its largest distance from these and from what storing g alone does
  Tensor<double> q_tilde_local;    ///< [n,r]: distance from q_tilde_held but for the error of g
  Tensor<double> q_tilde_radius;   ///< [n,r]: distance from q_tilde_held; both with the common factor apart
};

/// q_hat, and g and q_tilde of the absorbed form: radii of the stage query. Proof: statistic_ratio_exact, normalised_component_error,
/// absorbed_exact_error, latent_stage, argument_above.
Queries make_queries(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g,
                     const std::vector<QueryIndex>& rows);

}  // namespace equinorm::bounds
