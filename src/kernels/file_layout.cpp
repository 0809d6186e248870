#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "kernels/exchange.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

/// What stands for a page that is not there.
constexpr std::int32_t kNoPage = 2147480000;
constexpr Index kSparePages = 3;

struct PageTable {
  tensor::AnyTensor table;  ///< I32 [B, blocks]
  Index pages = 0;
  const std::int32_t* entries = nullptr;
};

Index blocks_of(Index tokens, Index page_size) { return (tokens + page_size - 1) / page_size; }

/// The pages of every row in shuffled order, some of the pool used by nobody. It depends on seed and page size alone: tensors with the same
/// page size share it.
PageTable page_table(const Problem& problem, Index page_size, std::uint64_t seed) {
  const Index blocks = std::max<Index>(1, blocks_of(problem.max_context(), page_size));
  PageTable out{tensor::AnyTensor(tensor::DType::i32, {problem.batch, blocks})};
  Index used = 0;
  for (Index b = 0; b < problem.batch; ++b) used += blocks_of(problem.context_of(b), page_size);
  out.pages = used + kSparePages;
  std::vector<std::int32_t> order(static_cast<std::size_t>(out.pages));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  auto* entries = reinterpret_cast<std::int32_t*>(out.table.mutable_bytes());
  std::size_t next = 0;
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index block = 0; block < blocks; ++block)
      *entries++ = block < blocks_of(problem.context_of(b), page_size) ? order[next++] : kNoPage;
  }
  out.entries = reinterpret_cast<const std::int32_t*>(out.table.bytes());
  return out;
}

/// The pool [pages, page_size, ...]; NaN where no token of a row stands.
tensor::AnyTensor pool_of(const tensor::AnyTensor& whole, const Problem& problem, Index page_size, const PageTable& table) {
  tensor::Shape shape{table.pages, page_size};
  shape.insert(shape.end(), whole.shape().begin() + 2, whole.shape().end());
  tensor::AnyTensor pool(whole.dtype(), shape);
  const std::vector<double> nothing(4096, std::numeric_limits<double>::quiet_NaN());
  for (Index at = 0; at < pool.size(); at += 4096) pool.write(at, std::min<Index>(4096, pool.size() - at), nothing.data());
  const Index tokens = whole.shape()[1], blocks = table.table.shape()[1];
  const std::size_t row = whole.size() == 0 ? 0 : whole.byte_size() / static_cast<std::size_t>(whole.shape()[0] * tokens);
  std::byte* bytes = pool.mutable_bytes();
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index t = 0; t < problem.context_of(b); ++t) {
      const Index slot = table.entries[b * blocks + t / page_size] * page_size + t % page_size;
      std::memcpy(bytes + static_cast<std::size_t>(slot) * row, whole.bytes() + static_cast<std::size_t>(b * tokens + t) * row, row);
    }
  }
  return pool;
}

}  // namespace

tensor::TensorMap file_tensors(const std::vector<Passed>& passed, const Request& request) {
  tensor::TensorMap files;
  for (const Passed& input : passed) {
    const auto found = request.inputs.find(input.spec.name);
    if (found == request.inputs.end()) throw Error(fmt::format("input {} is missing; the kernel reads it", input.spec.name));
    if (found->second.dtype() != input.dtype || found->second.shape() != input.spec.shape) {
      throw Error(fmt::format("input {} is {} {}; allowed: {} {}", input.spec.name, tensor::to_string(found->second.dtype()),
                              tensor::to_string(found->second.shape()), tensor::to_string(input.dtype), tensor::to_string(input.spec.shape)));
    }
    if (input.layout != LayoutKind::paged) {
      files.insert(*found);
      continue;
    }
    const PageTable table = page_table(*request.problem, input.page_size, request.layout_seed);
    files[input.spec.name] = pool_of(found->second, *request.problem, input.page_size, table);
    files[input.spec.name + ".block_table"] = table.table;
  }
  return files;
}

}  // namespace equinorm::kernels
