// The stages of the decimal reference; private to tests/reference.
#pragma once

#include <initializer_list>
#include <vector>

#include "reference/decimal_reference.hpp"

namespace equinorm::reference {

using problem::Problem;
using tensor::TensorMap;

/// Element `index` of input `name`, checked against the tensor's shape.
Number input(const TensorMap& inputs, const std::string& name, std::initializer_list<Index> index);

/// A tensor filled with undefined().
Tensor<Number> undefined_tensor(const tensor::Shape& shape);

/// exp(z), and 0 below -1e7.
Number exp_or_zero(const Number& z);

/// True if query i of row b has a token: always, unless the queries are the last S of x and the row is shorter.
bool query_exists(const Problem& problem, Index b, Index i);

/// Queries, keys and values before norm and rotation. MLA keys are materialised: [c W_K; k_rope] (3).
struct Operands {
  Tensor<Number> q;  ///< [B,S,H,d], content first
  Tensor<Number> k;  ///< [B,T,G,d], content first
  Tensor<Number> v;  ///< [B,T,G,d_v]
  Tensor<Number> c;  ///< [B,T,r], mla
};
Operands project(const Problem& problem, const TensorMap& inputs);

enum class Side { query, key };

/// (5) or (9) before the rotation: alpha, z gamma and z gamma / S(z) of every head.
struct Normalised {
  Tensor<Number> alpha;     ///< [B,S,H], [B,T,G] or [B,T,1]
  Tensor<Number> weighted;  ///< z gamma, shape of z
  Tensor<Number> hat;       ///< z gamma / S(z), shape of z
};
Normalised normalise(const Problem& problem, const TensorMap& inputs, Side side, const Tensor<Number>& raw);

/// The weight that multiplies element j of head (or group) h: gamma, 1 + gamma or 1.
Number weight(const Problem& problem, const TensorMap& inputs, Side side, Index h, Index j);

/// Turns the rotated dims of every head of [B,S,H,d] or [B,T,G,d] by the tables' rows at the tokens' positions.
Tensor<Number> rotate(const Problem& problem, const TensorMap& inputs, Side side, const Tensor<Number>& heads);

/// Adds logits, p, lse, u, o, o_gated and y.
void attend(const Problem& problem, const TensorMap& inputs, const Operands& operands, Outputs& outputs);

}  // namespace equinorm::reference
