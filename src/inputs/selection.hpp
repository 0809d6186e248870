// A part of a problem's inputs: some rows, queries, heads, groups and tokens.
#pragma once

#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::inputs {

/// What is kept, each in ascending order. `groups` are those of `heads`.
struct Selection {
  std::vector<problem::Index> rows, queries, heads, groups, tokens;
};

/// begin, begin + 1, ..., `count` of them.
std::vector<problem::Index> range(problem::Index begin, problem::Index count);

/// The part of input `name` of `problem` that the selection keeps, bit for bit, by the table of problem/tensors. Positions too.
tensor::AnyTensor select(const problem::Problem& problem, const std::string& name, const tensor::AnyTensor& source, const Selection& kept);

}  // namespace equinorm::inputs
