// What the stages share: where a head's dims stand, the weights, and the matrices of a problem.
#pragma once

#include <map>
#include <string>

#include "oracle/constants.hpp"
#include "oracle/product.hpp"
#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::oracle {

using problem::Problem;
using tensor::TensorMap;

/// The dims of a query or key head, split into those that never turn (content) and the RoPE block. mla: content first, then rope_dim (which
/// turn unless the layout is none). gqa: the rotated dims, first or last, and the others.
struct HeadLayout {
  Index content = 0, rope = 0, rope_begin = 0;
  Index content_dim(Index j) const { return j < rope_begin ? j : j + rope; }
};
HeadLayout head_layout(const Problem& problem);

/// Dims (first, second) of RoPE pair i within the RoPE block. Without rotation: (2i, 2i + 1), the last one alone if the width is odd.
struct Pair {
  Index first, second;
};
Pair rope_pair(const Problem& problem, Index i);

enum class Side { query, key };

/// A problem with its inputs loaded, apart from those with one row per token.
class Model {
 public:
  /// `keys`: whether keys of mla will be materialised.
  Model(const Problem& problem, const TensorMap& inputs, bool keys);

  const Problem& problem;
  const TensorMap& inputs;
  HeadLayout layout;
  Enclosed scale, eps, cap, inverse_cap;
  bool normed, joint;  ///< joint: one statistic for both blocks of a head

  /// gamma, 1 + gamma or 1 of element j of head (or group) h.
  const Enclosed& weight(Side side, Index h, Index j) const {
    return weights_[side == Side::query][static_cast<std::size_t>(h * problem.key_dim() + j)];
  }
  /// 1/n under rms, 1 under l2.
  Enclosed mean_factor(Index n, bool always_rms = false) const;
  const tensor::AnyTensor& input(const std::string& name) const { return inputs.at(name); }
  bool has(const std::string& name) const { return inputs.contains(name); }
  bool from_x() const { return problem.start == problem::Start::x; }
  Index position(Side side, Index b, Index i) const;
  /// Keys that query i of row b sees: [first, last).
  struct Range {
    Index first, last;
  };
  Range visible(Index b, Index i) const;

  std::vector<Matrix> key_matrices;    ///< mla: w_k per group; gqa from x: keys of a group from x
  std::vector<Matrix> value_matrices;  ///< gqa from x: values of a group from x
  Matrix latent_matrix, rope_matrix;   ///< mla from x
  std::vector<double> latent_gamma;    ///< gamma_kv_latent; empty without latent norms

 private:
  std::vector<Enclosed> weights_[2];                           ///< of keys and of queries, [heads][key_dim]
  const tensor::AnyTensor *key_positions_, *query_positions_;  ///< null: default positions
};

/// Throws Error unless every needed input is there, in its shape.
void check_inputs(const Problem& problem, const TensorMap& inputs);

/// z times weight, scaled by (mean z^2 + eps)^-1/2: the latent norm of one vector.
std::vector<Enclosed> normalise_latent(const Model& model, const std::vector<Enclosed>& z, const std::vector<double>& gamma);

}  // namespace equinorm::oracle
