// Absorbed decode over paged caches of 16-bit numbers, 16 bytes a load, split over the tokens; alpha_k is applied to each score. latent
// 512, rope_dim 64, pages of any size. absorbed_paged: grid (heads, queries * splits, batch), 128 threads, one partial result a block;
// combine: grid (heads, queries, batch). Problems with a soft-cap have an entry of their own (_capped).
#include "kernels/bundled/cuda/common/paged.cuh"
#include "kernels/bundled/cuda/common/softcap.cuh"

namespace equinorm {

constexpr int kThreads = 128, kLatent = 512, kRope = 64, kColumns = 4;

template <class T>
__device__ __forceinline__ void unpack8(const uint4& bits, float (&x)[8]) {
  const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 two = unpack<T>(words[i]);
    x[2 * i] = two.x, x[2 * i + 1] = two.y;
  }
}

/// The part of <x, row> that falls on this lane: 8 numbers in each of two halves of a latent.
template <class T>
__device__ __forceinline__ float dot_latent(const float (&query)[2][8], const T* row, int lane) {
  float sum = 0.0f;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float x[8];
    unpack8<T>(*reinterpret_cast<const uint4*>(row + half * 256 + lane * 8), x);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += query[half][i] * x[i];
  }
  return sum;
}

/// groups: columns of alpha_k. scale and softcap count where kCapped, else scale_log2e.
template <bool kCapped, class T>
__device__ __forceinline__ void absorbed_paged(const T* __restrict__ q_tilde, const T* __restrict__ q_rope_hat,
                                               const float* __restrict__ alpha_q, const Pages<T>& c, const Pages<T>& k_rope,
                                               const float* __restrict__ alpha_k, const int* __restrict__ lengths,
                                               float* __restrict__ partial, float2* __restrict__ state, int context, int groups, int splits,
                                               int c_page_size, int rope_page_size, int mask, int window, float scale_log2e, float scale,
                                               float softcap) {
  __shared__ float weights[kKeyTile];
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y / splits, split = blockIdx.y % splits, queries = gridDim.y / splits,
            b = blockIdx.z;
  const int lane = threadIdx.x % 32, group = head * groups / heads;
  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  const size_t out = ((static_cast<size_t>(b) * queries + s) * splits + split) * heads + head;
  const int length = lengths[b];
  const Range range = split_range(visible(length, queries, s, mask, window), length, split, splits);
  Running running;
  if (range.first < range.last) {
    float query[2][8];
    unpack8<T>(*reinterpret_cast<const uint4*>(q_tilde + row * kLatent + lane * 8), query[0]);
    unpack8<T>(*reinterpret_cast<const uint4*>(q_tilde + row * kLatent + 256 + lane * 8), query[1]);
    const float2 rope = unpack<T>(*reinterpret_cast<const unsigned*>(q_rope_hat + row * kRope + lane * 2));
    const float query_factor = alpha_q != nullptr ? alpha_q[row] : 1.0f;
    float acc[kColumns] = {};
    attend(
        range.first, range.last, weights, running, acc,
        [&](int token) {
          const float content = dot_latent(query, c.row(c.page(b, token, c_page_size), token, c_page_size), lane);
          const T* key = k_rope.row(k_rope.page(b, token, rope_page_size), token, rope_page_size);
          const float2 x = unpack<T>(*reinterpret_cast<const unsigned*>(key + lane * 2));
          const float factor =
              alpha_k != nullptr ? query_factor * alpha_k[(static_cast<size_t>(b) * context + token) * groups + group] : 1.0f;
          const float score = warp_sum(content) * factor + warp_sum(rope.x * x.x + rope.y * x.y);
          return kCapped ? capped_log2(score, scale, softcap) : score * scale_log2e;
        },
        [&](int token, float p, float(&sums)[kColumns]) {
          const uint2 bits =
              *reinterpret_cast<const uint2*>(c.row(c.page(b, token, c_page_size), token, c_page_size) + threadIdx.x * kColumns);
          const float2 low = unpack<T>(bits.x), high = unpack<T>(bits.y);
          sums[0] += p * low.x;
          sums[1] += p * low.y;
          sums[2] += p * high.x;
          sums[3] += p * high.y;
        });
    *reinterpret_cast<float4*>(partial + out * kLatent + threadIdx.x * kColumns) = make_float4(acc[0], acc[1], acc[2], acc[3]);
  }
  if (threadIdx.x == 0) state[out] = make_float2(running.largest, running.total);
}

}  // namespace equinorm

#define EQUINORM_PAGED(NAME, T, CAPPED)                                                                                                    \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads) NAME(                                                                   \
      const T* q_tilde, const T* q_rope_hat, const float* alpha_q, const T* c, const int* c_table, int c_blocks, long long c_page_stride,  \
      long long c_row_stride, int c_page_size, const T* k_rope, const int* rope_table, int rope_blocks, long long rope_page_stride,        \
      long long rope_row_stride, int rope_page_size, const float* alpha_k, const int* lengths, float* partial, float2* state, int context, \
      int groups, int splits, int mask, int window, float scale_log2e, float scale, float softcap) {                                       \
    equinorm::absorbed_paged<CAPPED>(q_tilde, q_rope_hat, alpha_q, equinorm::Pages<T>{c, c_table, c_blocks, c_page_stride, c_row_stride},  \
                                     equinorm::Pages<T>{k_rope, rope_table, rope_blocks, rope_page_stride, rope_row_stride}, alpha_k,      \
                                     lengths, partial, state, context, groups, splits, c_page_size, rope_page_size, mask, window,          \
                                     scale_log2e, scale, softcap);                                                                         \
  }
#define EQUINORM_COMBINE(NAME, T)                                                                    \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads, 1)                                \
      NAME(const float* partial, const float2* state, const T* sink, T* u, float* lse, int splits) { \
    equinorm::combine_splits<equinorm::kLatent>(partial, state, sink, u, lse, splits);               \
  }
EQUINORM_PAGED(absorbed_paged_fp16, __half, false)
EQUINORM_PAGED(absorbed_paged_bf16, __nv_bfloat16, false)
EQUINORM_PAGED(absorbed_paged_fp16_capped, __half, true)
EQUINORM_PAGED(absorbed_paged_bf16_capped, __nv_bfloat16, true)
EQUINORM_COMBINE(absorbed_paged_fp16_combine, __half)
EQUINORM_COMBINE(absorbed_paged_bf16_combine, __nv_bfloat16)
