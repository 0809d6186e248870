#include "inputs/transpose.hpp"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstring>

namespace equinorm::inputs {
namespace {

template <std::size_t kSize>
void transpose_elements(const AnyTensor& source, const Block& block, std::byte* target, Index stride) {
  const Index source_stride = source.shape()[1];
  constexpr Index kTile = 64;  // keeps both sides of the transposition in cache
  tbb::parallel_for(tbb::blocked_range<Index>(0, block.columns, kTile), [&](const tbb::blocked_range<Index>& columns) {
    for (Index first = 0; first < block.rows; first += kTile) {
      const Index last = std::min(block.rows, first + kTile);
      for (Index c = columns.begin(); c < columns.end(); ++c) {
        for (Index r = first; r < last; ++r) {
          std::memcpy(target + (c * stride + r) * kSize, source.bytes() + ((block.row + r) * source_stride + block.column + c) * kSize,
                      kSize);
        }
      }
    }
  });
}

}  // namespace

void transpose_block(const AnyTensor& source, const Block& block, AnyTensor& target, Index offset, Index stride) {
  const std::size_t size = tensor::size_of(source.dtype());
  std::byte* start = target.mutable_bytes() + offset * static_cast<Index>(size);
  if (size == 2) return transpose_elements<2>(source, block, start, stride);
  if (size == 4) return transpose_elements<4>(source, block, start, stride);
  transpose_elements<8>(source, block, start, stride);
}

}  // namespace equinorm::inputs
