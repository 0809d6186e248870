// What the attention starts from: latents, raw RoPE keys and raw queries (mla), raw queries, keys and values (gqa), of one batch row.
#pragma once

#include <vector>

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

/// Tokens [first, first + count) of a batch row.
struct Tokens {
  Index first = 0, count = 0;
};

/// Tokens whose keys, values and scores are made at a time: made, used and dropped, so that no tensor of every token's keys is alive beside
/// those of other groups. A matrix unit's cuts (matrix_unit_underflow) are then charged for the largest factor among these tokens, which
/// every sum over them has: an upper bound of its factors as before.
inline constexpr Index kTokenBlock = 2048;

/// Blocks of at most `most` tokens; one, empty, of a row without tokens.
std::vector<Tokens> token_blocks(Index tokens, Index most);

/// make_sources of a batch row, some tokens at a time. What starts at the latent is an input: nothing is copied before it is asked for.
class RowSources {
 public:
  RowSources(const Setting& at, const paths::PathInputs<double>& in, Index b);

  /// Rows of c, k_rope and k alone.
  Sources of(Tokens tokens) const;
  /// [T,d_v] of one group (gqa).
  Vectors values(Index group) const;
  /// [T,r] (mla), in place.
  const double* latents() const;
  const double* latent_radii() const;  ///< null: exact
  Index tokens() const { return problem_.context_of(b_); }
  /// q_content and q_rope.
  const Sources& queries() const { return kept_; }

 private:
  const problem::Problem& problem_;
  const paths::PathInputs<double>& in_;
  Index b_;
  Sources kept_;  ///< from x: everything; else the queries
  bool inexact_ = false;
};

}  // namespace equinorm::bounds
