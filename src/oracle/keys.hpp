// Keys and values of one block of tokens.
#pragma once

#include <vector>

#include "oracle/model.hpp"

namespace equinorm::oracle {

/// Values that softmax weights combine, token by token: [n][stride], stride a multiple of 8. `low` empty: all low parts 0.
struct Values {
  Index stride = 0;
  std::vector<double> hi, low;
  double largest = 0;  ///< upper bound of |hi|
  double radius = 0;   ///< upper bound of the error of any element
};

/// Tokens [first, first + count) of row `b`, count <= kBlock. Arrays run over the tokens; past `count` they hold zeros.
struct KeyBlock {
  Index b, first, count;
  Rows latent;  ///< mla: c
  SlicedRows latent_slices;
  std::vector<Rows> rope;                  ///< weighted and turned RoPE blocks: one (mla) or one per group; empty without a RoPE block
  std::vector<BoundedBlock> rope_squares;  ///< of the raw RoPE blocks
  std::vector<Rows> content;               ///< gqa: raw content dims per group
  std::vector<BoundedBlock> squares;       ///< of content
  std::vector<Values> values;              ///< mla: c, one; gqa: v per group
};

KeyBlock load_keys(const Model& model, Index b, Index first, Index count);

}  // namespace equinorm::oracle
