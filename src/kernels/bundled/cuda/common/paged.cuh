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

/// Tokens of split k of n: stretches of ceil(length / n), of which the query sees a part.
__device__ __forceinline__ Range split_range(Range seen, int length, int split, int splits) {
  const int stretch = (length + splits - 1) / splits;
  return {max(seen.first, split * stretch), min(seen.last, (split + 1) * stretch)};
}

}  // namespace equinorm
