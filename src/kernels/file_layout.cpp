#include <fmt/format.h>

#include <cstring>

#include "kernels/exchange.hpp"
#include "kernels/layout.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

/// A paged layout's pool [pages, page_size, ...]: a file has no gaps between pages.
tensor::AnyTensor pool_of(const Layout& layout, const tensor::AnyTensor& buffer) {
  tensor::Shape shape{layout.pages, layout.page_size};
  shape.insert(shape.end(), layout.shape.begin() + 2, layout.shape.end());
  tensor::AnyTensor pool(layout.dtype, shape);
  const std::size_t page = pool.byte_size() / static_cast<std::size_t>(layout.pages);
  const std::size_t stride = static_cast<std::size_t>(layout.page_stride) * tensor::size_of(layout.dtype);
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.pages); ++i)
    std::memcpy(pool.mutable_bytes() + i * page, buffer.bytes() + i * stride, page);
  return pool;
}

tensor::AnyTensor table_of(const Layout& layout) {
  tensor::AnyTensor table(tensor::DType::i32, {layout.shape[0], layout.blocks_per_row});
  std::memcpy(table.mutable_bytes(), layout.block_table.data(), table.byte_size());
  return table;
}

void check(const Passed& input, const tensor::AnyTensor& given) {
  if (given.dtype() == input.dtype && given.shape() == input.spec.shape) return;
  throw Error(fmt::format("input {} is {} {}; allowed: {} {}", input.spec.name, tensor::to_string(given.dtype()),
                          tensor::to_string(given.shape()), tensor::to_string(input.dtype), tensor::to_string(input.spec.shape)));
}

}  // namespace

tensor::TensorMap file_tensors(const std::vector<Passed>& passed, const Request& request) {
  const Poison poison(request.layout_seed);
  tensor::TensorMap files;
  for (const Passed& input : passed) {
    const std::string& name = input.spec.name;
    const auto found = request.inputs.find(name);
    if (found == request.inputs.end()) throw Error(fmt::format("input {} is missing; the kernel reads it", name));
    check(input, found->second);
    const Layout layout = make_layout(input, *request.problem, request.layout_seed);
    const bool paged = input.layout == LayoutKind::paged, gaps = paged || input.layout == LayoutKind::strided;
    tensor::AnyTensor buffer(layout.dtype, gaps ? tensor::Shape{layout.span} : layout.shape);
    lay_out(layout, found->second, poison, buffer.mutable_bytes(), 0, false);
    files[name] = paged ? pool_of(layout, buffer) : buffer;
    if (paged) files[name + ".block_table"] = table_of(layout);
  }
  return files;
}

}  // namespace equinorm::kernels
