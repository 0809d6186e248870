#include "commands/where_wrong.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace equinorm::commands {
namespace {

using tensor::Index;

/// Runs of indices that a line of text has room for.
constexpr std::size_t kRuns = 6;

/// 1, 2, 5 of 8: "{1-2,5}"; all: "*"; too many runs: "5 of 8".
std::string listed(const std::set<Index>& indices, Index all) {
  if (static_cast<Index>(indices.size()) == all) return "*";
  std::string text;
  std::size_t runs = 0;
  for (auto first = indices.begin(); first != indices.end(); ++runs) {
    auto next = first;
    Index last = *first;
    while (++next != indices.end() && *next == last + 1) last = *next;
    text += (text.empty() ? "" : ",") + (last == *first ? std::to_string(last) : fmt::format("{}-{}", *first, last));
    first = next;
  }
  if (runs > kRuns) return fmt::format("{} of {}", indices.size(), all);
  return runs > 1 ? "{" + text + "}" : text;
}

}  // namespace

std::string where_wrong(const JudgedOutput& output, const tensor::Tensor<double>& exact) {
  const tensor::Shape& shape = exact.shape();
  if (output.values.shape() != shape || output.bound.shape() != shape) return "";
  std::vector<std::set<Index>> wrong(shape.size());
  for (Index i = 0; i < exact.size(); ++i) {
    const double value = output.values[i];
    if (value == exact[i] || std::fabs(value - exact[i]) <= output.bound[i]) continue;
    Index rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) wrong[axis].insert(rest % shape[axis]);
  }
  std::string place;
  bool somewhere = false, everywhere = true;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    place += (place.empty() ? "" : ",") + listed(wrong[axis], shape[axis]);
    somewhere = somewhere || !wrong[axis].empty();
    everywhere = everywhere && static_cast<Index>(wrong[axis].size()) == shape[axis];
  }
  if (!somewhere || everywhere) return "";
  return fmt::format("{} is beyond its bound only at [{}] of {}", output.name, place, tensor::to_string(shape));
}

}  // namespace equinorm::commands
