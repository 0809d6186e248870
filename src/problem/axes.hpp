// Which axes of a tensor run over rows, queries, heads, groups and tokens: what a part of a problem keeps of it.
#pragma once

#include <string>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::problem {

enum class Along : std::uint8_t { rows, queries, heads, groups, tokens };

/// An axis of a tensor. Heads and groups may lie side by side in one axis, `width` elements each.
struct Axis {
  std::size_t place;
  Along along;
  Index width = 1;
};

/// The axes of an input or output tensor of `problem` that run over its rows, queries, heads, groups or tokens; every other axis belongs to
/// all of them alike.
std::vector<Axis> axes_of(const Problem& problem, const std::string& tensor);

}  // namespace equinorm::problem
