// What the attention starts from: latents, raw RoPE keys and raw queries (mla), raw queries, keys and values (gqa), of one batch row.
#pragma once

#include "bounds/linear.hpp"

namespace equinorm::bounds {

/// Empty where the problem has none. Radii are 0 when the path starts at the latent, since inputs are exact.
struct Sources {
  Vectors c;          ///< [T,r]
  Vectors k_rope;     ///< [T,d_r]
  Vectors q_content;  ///< [S*H,d_c] (gqa: the whole query, [S*H,d])
  Vectors q_rope;     ///< [S*H,d_r]
  Vectors k;          ///< [T*G,d]
  Vectors v;          ///< [T*G,d_v]
};

/// Stage `project`: reads the inputs, or multiplies x out with the error of f_a, latent norms included. Proof: radius_dot_exact,
/// statistic_ratio_exact, normalised_component_error.
Sources make_sources(const Setting& at, const paths::PathInputs<double>& in, Index b);

}  // namespace equinorm::bounds
