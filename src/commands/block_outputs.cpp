#include "commands/block_outputs.hpp"

#include <cstring>
#include <functional>

#include "kernels/layout.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;
using tensor::Shape;

/// A box in a tensor: its extent, and its first index on each axis.
struct Box {
  Shape shape, first;
};

Box box_of(const problem::Problem& problem, const inputs::Block& block, const std::string& name, const Shape& whole) {
  Box box{whole, Shape(whole.size(), 0)};
  if (block.whole()) return box;
  const auto cut = [&](std::size_t axis, Index first, Index count) { box.first.at(axis) = first, box.shape.at(axis) = count; };
  cut(0, block.row, 1);
  if (const int token = kernels::token_axis(name); token >= 0) cut(static_cast<std::size_t>(token), 0, problem.context_of(block.row));
  const bool by_key = name == "alpha_k" || name == "k_hat" || name == "k_deferred";
  // A full-width norm has one statistic for all groups, whose heads stay together.
  if (by_key && whole.at(2) == problem.groups) cut(2, problem.group_of(block.first_head), block.heads * problem.groups / problem.heads);
  if (name == "logits" || name == "p" || name == "lse") cut(1, block.first_head, block.heads);
  if (!by_key && name != "k_rope_cached" && name != "y" && whole.size() > 2 && name != "logits" && name != "p" && name != "lse")
    cut(2, block.first_head, block.heads);
  return box;
}

/// Calls body(first element in the box, first element in the whole, count) for the runs of the last axis.
void for_each_run(const Box& box, const Shape& whole, const std::function<void(Index, Index, Index)>& body) {
  const Index count = box.shape.back();
  const Index rows = count == 0 ? 0 : tensor::element_count(box.shape) / count;
  const Shape outer(box.shape.begin(), box.shape.end() - 1);
  for (Index row = 0; row < rows; ++row) {
    Shape at = tensor::unravel(outer, row);
    Index place = 0;
    for (std::size_t axis = 0; axis < whole.size(); ++axis)
      place = place * whole[axis] + box.first[axis] + (axis < at.size() ? at[axis] : 0);
    body(row * count, place, count);
  }
}

tensor::Tensor<double> taken(const Box& box, const tensor::Tensor<double>& whole) {
  if (whole.empty()) return {};
  tensor::Tensor<double> part(box.shape);
  for_each_run(box, whole.shape(), [&](Index to, Index from, Index count) {
    std::memcpy(part.data() + to, whole.data() + from, static_cast<std::size_t>(count) * sizeof(double));
  });
  return part;
}

}  // namespace

tensor::AnyTensor take_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name,
                             const tensor::AnyTensor& whole) {
  if (block.whole()) return whole;
  const Box box = box_of(problem, block, name, whole.shape());
  tensor::AnyTensor part(whole.dtype(), box.shape);
  const auto size = static_cast<Index>(tensor::size_of(whole.dtype()));
  std::byte* target = part.mutable_bytes();
  for_each_run(box, whole.shape(), [&](Index to, Index from, Index count) {
    std::memcpy(target + to * size, whole.bytes() + from * size, static_cast<std::size_t>(count * size));
  });
  return part;
}

verdict::ReferenceTensor take_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name,
                                    const verdict::ReferenceTensor& whole) {
  if (block.whole()) return whole;
  const Box box = box_of(problem, block, name, whole.value.shape());
  return {taken(box, whole.value), taken(box, whole.low), taken(box, whole.radius)};
}

void put_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name, const tensor::Tensor<double>& part,
               tensor::Tensor<double>& whole) {
  const Box box = box_of(problem, block, name, whole.shape());
  for_each_run(box, whole.shape(), [&](Index from, Index to, Index count) {
    std::memcpy(whole.data() + to, part.data() + from, static_cast<std::size_t>(count) * sizeof(double));
  });
}

}  // namespace equinorm::commands
