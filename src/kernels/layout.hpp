// Where a tensor's elements lie in the buffer that a kernel gets: contiguous, strided with gaps, or in pages of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
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

/// A wide pool's gaps are written, and looked at, so near to what is used; the rest of them is never touched.
inline constexpr std::size_t kNearBytes = 4096;

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
  bool wide = false;  ///< a pool of far more pages than are used

  std::size_t bytes() const { return static_cast<std::size_t>(span) * tensor::size_of(dtype); }
  /// Bytes of memory that it takes, roughly: bytes(), unless it is wide.
  std::size_t resident_bytes() const;
};

/// Block table entries that name no page.
inline constexpr std::int32_t kNoPage = 2147480000;

/// Page size -> pages of its pools, so that the one with the longest pages has `elements` elements, and none more than its kernel allows.
std::map<Index, Index> wide_pools(const std::vector<Passed>& tensors, Index elements);

/// The layout of a tensor, by seed. `pools`: of wide_pools; where it has more pages for a paged tensor than are needed, the pool is wide
/// and a third of the used pages and more lie in its last third.
Layout make_layout(const Passed& passed, const Problem& problem, std::uint64_t seed, const std::map<Index, Index>& pools = {});

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

/// Writes an output's poison into its buffer.
void poison_output(const Layout& layout, const Poison& poison, std::byte* buffer, std::uint64_t address);

/// Copies what an output's buffer holds to `target`, byte_size bytes in logical order, elements past the context as 0. Returns the logical
/// index of the first element that still is the poison, -1 where none is. Looks at the copy alone: whoever still writes the buffer cannot
/// change what was looked at.
Index gather(const Layout& layout, const Poison& poison, const std::byte* buffer, std::uint64_t address, std::byte* target);

/// Logical index of the element at a byte of the buffer, -1: a gap.
Index logical_at(const Layout& layout, std::size_t byte);

}  // namespace equinorm::kernels
