#include "inputs/selection.hpp"

#include <cstring>
#include <map>
#include <numeric>

#include "problem/norm_traits.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::AnyTensor;

/// Indices to keep on each axis; an axis without an entry is kept whole.
using Axes = std::map<std::size_t, std::vector<Index>>;

/// The columns of some heads that lie side by side, `width` each.
std::vector<Index> columns(const std::vector<Index>& heads, Index width) {
  std::vector<Index> result;
  for (const Index head : heads) {
    for (Index i = 0; i < width; ++i) result.push_back(head * width + i);
  }
  return result;
}

Axes axes_of(const std::string& name, const Problem& p, const Selection& kept) {
  const bool full = problem::norm_traits(p).over_all_heads;
  const Index d = p.key_dim();
  if (name == "c" || name == "k_rope" || name == "x" || name == "positions_k") return {{0, kept.rows}, {1, kept.tokens}};
  if (name == "positions_q") return {{0, kept.rows}, {1, kept.queries}};
  if (name == "k" || name == "v") return {{0, kept.rows}, {1, kept.tokens}, {2, kept.groups}};
  if (name == "q" || name == "q_content" || name == "q_rope") return {{0, kept.rows}, {1, kept.queries}, {2, kept.heads}};
  if (name == "w_k" && !p.is_mla()) return {{1, columns(kept.groups, d)}};
  if (name == "w_v" && !p.is_mla()) return {{1, columns(kept.groups, p.value_dim)}};
  if (name == "w_k" || name == "w_v") return {{0, kept.groups}};
  if (name == "w_q" || name == "w_uq") return {{1, columns(kept.heads, d)}};
  if (name == "w_o") return {{0, columns(kept.heads, p.value_dim)}};
  if (name == "gate") return {{0, kept.rows}, {1, kept.queries}, {2, columns(kept.heads, p.value_dim)}};
  if (name == "sink") return {{0, kept.heads}};
  if (full && name == "gamma_cq") return {{0, columns(kept.heads, p.content_dim)}};
  if (full && name == "gamma_ck") return {{0, columns(kept.groups, p.content_dim)}};
  if (full && name == "gamma_rq") return {{0, columns(kept.heads, p.rope_dim)}};
  if (full && name == "gamma_q") return {{0, columns(kept.heads, d)}};
  if (full && name == "gamma_k") return {{0, columns(kept.groups, d)}};
  return {};
}

}  // namespace

std::vector<Index> range(Index begin, Index count) {
  std::vector<Index> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), begin);
  return result;
}

AnyTensor select(const Problem& problem, const std::string& name, const AnyTensor& source, const Selection& kept) {
  const Axes axes = axes_of(name, problem, kept);
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
