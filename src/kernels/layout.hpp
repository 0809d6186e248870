// Where a tensor's elements lie in the buffer that a kernel gets: contiguous, strided with gaps, or in pages of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/declaration.hpp"
#include "kernels/poison.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::kernels {

/// Elements that lie side by side, both in logical order and in the buffer.
struct Run {
  Index logical = 0, physical = 0, count = 0;
  bool past = false;  ///< of tokens past their row's context: poison on the way in, of no interest on the way out

  friend bool operator==(const Run&, const Run&) = default;
};

/// A buffer's layout. Strided: a gap of 16 to 64 bytes after every row of every axis but the last. Paged: the pages of all rows in shuffled
/// order, some of the pool and the rest of each row's last page used by nobody, sometimes a gap between pages; tensors of one page size
/// share their block table, as the caches of a serving system do.
struct Layout {
  tensor::DType dtype = tensor::DType::f32;
  tensor::Shape shape;
  std::vector<Index> strides{};  ///< elements; paged: [0] is 0
  Index span = 0;                ///< elements of the buffer
  std::vector<Run> runs{};       ///< ascending in the buffer; elements of no run are gaps
  std::vector<std::int32_t> block_table{};
  Index blocks_per_row = 0, page_size = 0, page_stride = 0, pages = 0;

  std::size_t bytes() const { return static_cast<std::size_t>(span) * tensor::size_of(dtype); }
};

/// Block table entries that name no page.
inline constexpr std::int32_t kNoPage = 2147480000;

/// The layout of a tensor, by seed. Throws Error where the buffer would be larger than the address space allows.
Layout make_layout(const Passed& passed, const Problem& problem, std::uint64_t seed);

/// Axis of a tensor that counts the tokens of the context, -1: none.
int token_axis(const std::string& name);

/// Writes the tensor and the poison around it. `address`: of `buffer`, as the poison sees it. Gaps and runs past the context are skipped
/// where `gaps_hold` says that they still hold the poison.
void lay_out(const Layout& layout, const tensor::AnyTensor& tensor, const Poison& poison, std::byte* buffer, std::uint64_t address,
             bool gaps_hold);

/// Byte at which the buffer differs from what lay_out wrote; bytes() where nothing does.
std::size_t first_change(const Layout& layout, const tensor::AnyTensor& tensor, const Poison& poison, const std::byte* buffer,
                         std::uint64_t address);

/// Byte of a gap that is not the poison's; bytes() where all gaps are intact.
std::size_t first_gap_change(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address);

/// What an output's buffer holds, in logical order; elements past the context are 0.
struct Gathered {
  tensor::AnyTensor tensor;
  Index unwritten = -1;  ///< logical index of the first element that still is the poison, -1: none
};
Gathered gather(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address);

/// Logical index of the element at a byte of the buffer, -1: a gap.
Index logical_at(const Layout& layout, std::size_t byte);

}  // namespace equinorm::kernels
