// Rows of a paged cache, and the tokens of a split.
#pragma once

#include "kernels/bundled/cuda/common/numbers.cuh"

namespace equinorm {

/// One paged tensor [B,T,width] as kernel.h passes it; the last axis is contiguous.
template <class T>
struct Pages {
  const T* data;
  const int* table;  ///< [batch, blocks_per_row]
  int blocks_per_row;
  long long page_stride, row_stride;  ///< elements

  __device__ __forceinline__ int page(int b, int token, int page_size) const {
    return table[static_cast<size_t>(b) * blocks_per_row + token / page_size];
  }
  __device__ __forceinline__ const T* row(int page, int token, int page_size) const {
    return data + page * page_stride + static_cast<long long>(token % page_size) * row_stride;
  }
};

/// Where a token stands in its pages; goes on by kStep tokens at a time without a division.
template <int kStep>
class PageCursor {
 public:
  __device__ __forceinline__ PageCursor(int token, int page_size)
      : block_(token / page_size),
        offset_(token % page_size),
        page_size_(page_size),
        blocks_(kStep / page_size),
        rest_(kStep % page_size) {}

  __device__ __forceinline__ void advance() {
    block_ += blocks_;
    offset_ += rest_;
    if (offset_ >= page_size_) {
      offset_ -= page_size_;
      ++block_;
    }
  }
  template <class T>
  __device__ __forceinline__ int page(const Pages<T>& pages, int b) const {
    return pages.table[static_cast<size_t>(b) * pages.blocks_per_row + block_];
  }
  template <class T>
  __device__ __forceinline__ const T* row(const Pages<T>& pages, int page) const {
    return pages.data + page * pages.page_stride + offset_ * pages.row_stride;
  }

 private:
  int block_, offset_, page_size_, blocks_, rest_;
};

/// Tokens of split k of n: stretches of ceil(length / n), of which the query sees a part.
__device__ __forceinline__ Range split_range(Range seen, int length, int split, int splits) {
  const int stretch = (length + splits - 1) / splits;
  return {max(seen.first, split * stretch), min(seen.last, (split + 1) * stretch)};
}

}  // namespace equinorm
