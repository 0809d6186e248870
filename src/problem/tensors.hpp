// Names and shapes of every tensor of a problem, in and out.
#pragma once

#include <string>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::problem {

/// What a tensor's values are for; the generators choose their distribution by it.
enum class Role : std::uint8_t { hidden, latent, key, query, value, weight, gamma, rope_table, positions, sink, gate };

struct TensorSpec {
  std::string name;
  std::vector<Index> shape;
  Role role;
  bool optional = false;  ///< may be left out: inputs positions_q and positions_k, output p
};

/// The inputs that `problem` needs, in a fixed order. `table_rows` is P, the rows of the RoPE tables (largest position + 1). A block of
/// width 0 has no tensors. The latent norms bring their own weights whatever norm.scheme and norm.weight say: those speak of the QK-norm.
std::vector<TensorSpec> input_tensors(const Problem& problem, Index table_rows);

/// P when no explicit positions are given: max_b T_b (at least 1). Queries with a negative default position use no row.
Index default_table_rows(const Problem& problem);

/// Every output that some path of this problem defines, in data-flow order, with its shape.
std::vector<TensorSpec> output_tensors(const Problem& problem);

}  // namespace equinorm::problem
