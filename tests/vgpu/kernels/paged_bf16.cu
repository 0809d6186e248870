// Decode over a paged bf16 cache with QK-norm: out[b][h] = sum_k p_k v_k, p = softmax_k(scale * <norm(q) gamma_q, norm(k) gamma_k>), where
// norm(x) = x / sqrt(mean x^2 + eps). One block per (head, sequence), 128 threads, head dimension 128, pages of 16 tokens, one kv head.
#include <cuda_bf16.h>

constexpr int kDim = 128, kPage = 16, kWarps = 4, kTile = 32;

__device__ __forceinline__ float warp_sum(float x) {
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

// Four numbers of a row of 128: those of this lane.
__device__ __forceinline__ void load_row(const __nv_bfloat16* row, int lane, float (&x)[4]) {
  const uint2 bits = *reinterpret_cast<const uint2*>(row + 4 * lane);
  const float2 low = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&bits.x));
  const float2 high = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&bits.y));
  x[0] = low.x, x[1] = low.y, x[2] = high.x, x[3] = high.y;
}

__device__ __forceinline__ void normalise(float (&x)[4], const float* gamma, int lane, float eps) {
  const float alpha = rsqrtf(warp_sum(x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3]) / kDim + eps);
  for (int i = 0; i < 4; ++i) x[i] = x[i] * alpha * gamma[4 * lane + i];
}

extern "C" __global__ void __launch_bounds__(128)
    paged_bf16(const __nv_bfloat16* __restrict__ q, const __nv_bfloat16* __restrict__ key_cache, const __nv_bfloat16* __restrict__ value_cache,
               const float* __restrict__ gamma_q, const float* __restrict__ gamma_k, const int* __restrict__ block_table,
               const int* __restrict__ lengths, __nv_bfloat16* __restrict__ out, int heads, int max_pages, float scale, float eps) {
  __shared__ float score[kTile];
  const int head = blockIdx.x, sequence = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const size_t row = static_cast<size_t>(sequence) * heads + head;
  float query[4];
  load_row(q + row * kDim, lane, query);
  normalise(query, gamma_q, lane, eps);
  const int keys = lengths[sequence];
  const int* pages = block_table + sequence * max_pages;
  float largest = -INFINITY, total = 0.0f, sum = 0.0f;
  for (int start = 0; start < keys; start += kTile) {
    const int count = min(kTile, keys - start);
    for (int k = warp; k < count; k += kWarps) {
      const int token = start + k;
      const size_t slot = static_cast<size_t>(pages[token / kPage]) * kPage + token % kPage;
      float key[4];
      load_row(key_cache + slot * kDim, lane, key);
      normalise(key, gamma_k, lane, eps);
      const float dot = warp_sum(query[0] * key[0] + query[1] * key[1] + query[2] * key[2] + query[3] * key[3]);
      if (lane == 0) score[k] = dot * scale;
    }
    __syncthreads();
    float tile_largest = largest;
    for (int k = 0; k < count; ++k) tile_largest = fmaxf(tile_largest, score[k]);
    const float rescale = exp2f((largest - tile_largest) * 1.44269504f);
    largest = tile_largest;
    total *= rescale;
    sum *= rescale;
    for (int k = 0; k < count; ++k) {
      const int token = start + k;
      const size_t slot = static_cast<size_t>(pages[token / kPage]) * kPage + token % kPage;
      const float p = exp2f((score[k] - largest) * 1.44269504f);
      total += p;
      sum += p * __bfloat162float(value_cache[slot * kDim + threadIdx.x]);
    }
    __syncthreads();
  }
  out[row * kDim + threadIdx.x] = __float2bfloat16_rn(sum / total);
}
