#include "commands/block_outputs.hpp"

#include <cstring>

namespace equinorm::commands {
namespace {

using problem::Box;
using problem::Index;

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
  const Box box = problem::box_of(problem, block, name, whole.shape());
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
  const Box box = problem::box_of(problem, block, name, whole.value.shape());
  return {taken(box, whole.value), taken(box, whole.low), taken(box, whole.radius)};
}

void put_block(const problem::Problem& problem, const inputs::Block& block, const std::string& name, const tensor::Tensor<double>& part,
               tensor::Tensor<double>& whole) {
  const Box box = problem::box_of(problem, block, name, whole.shape());
  for_each_run(box, whole.shape(), [&](Index from, Index to, Index count) {
    std::memcpy(whole.data() + to, part.data() + from, static_cast<std::size_t>(count) * sizeof(double));
  });
}

}  // namespace equinorm::commands
