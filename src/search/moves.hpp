// Small changes of a problem's inputs that a search takes one after the other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "problem/tensors.hpp"
#include "search/draws.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::search {

/// Moves of one element (sign, one ulp, a power of two, zero, a full significand, the negative of a neighbour), of one row (scaled, copied
/// from a row of the same width, of one sign, sorted by size, alternating, cancelling in pairs), and of a latent onto a query's direction.
/// RoPE tables and positions stay as they are; so does every value outside the storage format's finite numbers.
class Moves {
 public:
  /// Inputs are numbers of `format` (fp16, bf16, fp32 or fp64).
  Moves(const problem::Problem& problem, scalar::Format format);

  /// `inputs` after one to eight moves, most often one or two. Unchanged tensors share their bytes.
  tensor::TensorMap changed(const tensor::TensorMap& inputs, Draws& draws) const;

 private:
  using Values = std::vector<double>;

  void move_once(tensor::TensorMap& inputs, Draws& draws) const;
  void move_element(Values& values, std::int64_t width, Draws& draws) const;
  void move_row(const tensor::TensorMap& inputs, Values& values, std::int64_t width, Draws& draws) const;
  /// A row of another tensor (or of the same) of that width; empty where there is none.
  Values other_row(const tensor::TensorMap& inputs, std::int64_t width, Draws& draws) const;
  /// c[b,t] = s W_K[g] q_content[b,i,h]: the latent whose content logit with that query is largest.
  bool align_latent(tensor::TensorMap& inputs, Draws& draws) const;
  void store(tensor::TensorMap& inputs, const std::string& name, const Values& values) const;

  const problem::Problem& problem_;
  scalar::Format format_;
  scalar::FormatLimits limits_;
  std::vector<std::string> names_;  ///< tensors that may change
};

}  // namespace equinorm::search
