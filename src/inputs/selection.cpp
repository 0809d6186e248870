#include "inputs/selection.hpp"

#include <cstring>
#include <map>
#include <numeric>

#include "problem/axes.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::AnyTensor;

/// Indices to keep on each axis; an axis without an entry is kept whole.
using Axes = std::map<std::size_t, std::vector<Index>>;

/// The places of some heads that lie side by side, `width` each.
std::vector<Index> columns(const std::vector<Index>& heads, Index width) {
  std::vector<Index> result;
  for (const Index head : heads) {
    for (Index i = 0; i < width; ++i) result.push_back(head * width + i);
  }
  return result;
}

const std::vector<Index>& kept_along(problem::Along along, const Selection& kept) {
  switch (along) {
    case problem::Along::rows:
      return kept.rows;
    case problem::Along::queries:
      return kept.queries;
    case problem::Along::heads:
      return kept.heads;
    case problem::Along::groups:
      return kept.groups;
    case problem::Along::tokens:
      break;
  }
  return kept.tokens;
}

Axes kept_axes(const std::string& name, const Problem& problem, const Selection& kept) {
  Axes axes;
  for (const problem::Axis& axis : problem::axes_of(problem, name))
    axes.emplace(axis.place, columns(kept_along(axis.along, kept), axis.width));
  return axes;
}

}  // namespace

std::vector<Index> range(Index begin, Index count) {
  std::vector<Index> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), begin);
  return result;
}

AnyTensor select(const Problem& problem, const std::string& name, const AnyTensor& source, const Selection& kept) {
  const Axes axes = kept_axes(name, problem, kept);
  if (axes.empty()) return source;
  tensor::Shape shape = source.shape();
  for (const auto& [axis, indices] : axes) shape.at(axis) = static_cast<Index>(indices.size());
  AnyTensor result(source.dtype(), shape);
  const std::size_t width = tensor::size_of(source.dtype());
  std::vector<Index> at(shape.size());
  for (Index flat = 0; flat < result.size(); ++flat) {
    Index rest = flat, from = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      at[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const auto indices = axes.find(axis);
      from = from * source.shape()[axis] + (indices == axes.end() ? at[axis] : indices->second[static_cast<std::size_t>(at[axis])]);
    }
    std::memcpy(result.mutable_bytes() + static_cast<std::size_t>(flat) * width, source.bytes() + static_cast<std::size_t>(from) * width,
                width);
  }
  return result;
}

}  // namespace equinorm::inputs
