// A small part of a problem with the same numbers: one head, its last query, some of its tokens.
#pragma once

#include <optional>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// A problem of one batch row, one query and one head, and its inputs.
struct Sample {
  problem::Problem problem;
  tensor::TensorMap inputs;
  std::string description;  ///< "head 5, 16 of 4096 tokens"
};

/// Draws a head and at most `max_tokens` of the tokens that the last query of the longest row sees, its last one always among them. Dims of
/// the vectors stay as they are; tokens keep their positions. A full-width statistic is then over the one head. Nothing when that query
/// sees nothing.
std::optional<Sample> sample_problem(const problem::Problem& problem, const tensor::TensorMap& inputs, problem::Index max_tokens,
                                     std::uint64_t seed);

}  // namespace equinorm::inputs
