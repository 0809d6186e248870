// Explicit positions for a case whose own are the default ones.
#pragma once

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::commands {

/// Adds positions_k and positions_q that are no token numbers: the keys' in falling order, the queries' all over the context. Every one has
/// a row in the RoPE tables that belong to default positions. The mask goes by token, as ever.
void add_explicit_positions(const problem::Problem& problem, tensor::TensorMap& inputs);

}  // namespace equinorm::commands
