// Absorbed decode on tensor cores: 16 heads are the 16 rows of mma.sync m16n8k16, tiles of 32 tokens come through four stages of cp.async
// from paged caches, alpha_q alpha_k scales the content scores in the score tile. latent 512, rope_dim 64, heads a multiple of 16.
// Problems with a soft-cap have an entry of their own (_capped).
// absorbed_mma: grid (splits, queries * heads / 16, batch), 256 threads, kSharedBytes; combine: grid (heads, queries, batch), 128 threads.
//
// Warp w: score columns 8 (w % 4) .. of the tile over one half of the 36 steps of 16 dims (w / 4; the RoPE dims are the last four steps),
// then latent columns 64 w .. of u. The softmax of a tile is computed by every warp, straight into the fragments that it multiplies.
#include "kernels/bundled/cuda/absorbed_mma/fragments.cuh"
#include "kernels/bundled/cuda/absorbed_mma/tiles.cuh"
#include "kernels/bundled/cuda/common/softcap.cuh"

namespace equinorm {

/// This warp's half of the queries as A fragments, from global memory.
template <class T>
__device__ __forceinline__ void load_queries(unsigned (&a)[kHalfSteps][4], const T* q_tilde, const T* q_rope_hat, size_t first_row,
                                             int half, int lane) {
#pragma unroll
  for (int i = 0; i < kHalfSteps; ++i) {
    const int step = half * kHalfSteps + i, column = lane % 4 * 2;
    const bool content = step < kLatent / 16;
    const T* row = content ? q_tilde + (first_row + lane / 4) * kLatent + step * 16 + column
                           : q_rope_hat + (first_row + lane / 4) * kRope + (step * 16 - kLatent) + column;
    const size_t down = content ? 8 * kLatent : 8 * kRope;
    a[i][0] = *reinterpret_cast<const unsigned*>(row);
    a[i][1] = *reinterpret_cast<const unsigned*>(row + down);
    a[i][2] = *reinterpret_cast<const unsigned*>(row + 8);
    a[i][3] = *reinterpret_cast<const unsigned*>(row + down + 8);
  }
}

/// This warp's part of the score tile: (alpha_q alpha_k <q_tilde, c> + <q_rope_hat, k_rope>) over its half of the dims, to shared memory.
template <class T, class A>
__device__ __forceinline__ void score_tile(const unsigned (&a)[kHalfSteps][4], const T* stage, const ScoreFactors<A>& factors,
                                           const unsigned* words, float* scores, int warp, int lane) {
  const int half = warp / 4, column = warp % 4 * 8;
  float alpha[4];
  factors.load(words + (column + lane % 4 * 2) * kFactorStride + lane / 4, alpha);
  float content[2][4] = {}, last[4] = {};
  const T* row = stage + (column + lane % 8) * kStride + half * kHalfSteps * 16 + lane / 8 * 8;
#pragma unroll
  for (int i = 0; i < kHalfSteps; i += 2) {
    unsigned b[4];
    load_matrices(b, row + i * 16);
    if (i < kHalfSteps - kRopeSteps) {
      multiply<T>(content[0], a[i], b[0], b[1]);
      multiply<T>(content[1], a[i + 1], b[2], b[3]);
    } else {
      multiply<T>(last, a[i], b[0], b[1]);
      multiply<T>(last, a[i + 1], b[2], b[3]);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float sum = content[0][i] + content[1][i];
    const float score = half == 0 ? (sum + last[i]) * alpha[i] : sum * alpha[i] + last[i];
    scores[(half * kRows + lane / 4 + i / 2 * 8) * kScoreStride + column + lane % 4 * 2 + i % 2] = score;
  }
}

/// Logits for exp2 in place of the first half of the score tile: every score is joined and capped once, by one thread. The whole block.
__device__ __forceinline__ void cap_tile(float* scores, float scale, float softcap) {
#pragma unroll
  for (int i = 0; i < kRows * kTile; i += kThreads) {
    float* score = scores + (i + threadIdx.x) / kTile * kScoreStride + threadIdx.x % kTile;
    *score = capped_log2(*score + score[kRows * kScoreStride], scale, softcap);
  }
  __syncthreads();
}

/// Softmax of the tile for rows lane / 4 and 8 below, as A fragments of the 16 x 32 weights; rescales what was before.
template <bool kCapped, class T>
__device__ __forceinline__ void softmax_tile(const float* scores, int live, float scale_log2e, Running (&running)[2], float (&acc)[8][4],
                                             unsigned (&p)[2][4], int lane) {
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    const float* row = scores + (lane / 4 + below * 8) * kScoreStride + lane % 4 * 2;
    float x[4][2], largest = running[below].largest;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float first = row[k * 8 + i], logit = kCapped ? first : (first + row[kRows * kScoreStride + k * 8 + i]) * scale_log2e;
        x[k][i] = k * 8 + lane % 4 * 2 + i < live ? logit : -INFINITY;
        largest = fmaxf(largest, x[k][i]);
      }
    }
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
    const float rescale = exp2f(running[below].largest - largest);
    running[below].largest = largest;
    running[below].total *= rescale;
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      acc[n][2 * below] *= rescale;
      acc[n][2 * below + 1] *= rescale;
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float first = exp2f(x[k][0] - largest), second = exp2f(x[k][1] - largest);
      running[below].total += first + second;
      p[k / 2][k % 2 * 2 + below] = pack<T>(first, second);
    }
  }
}

/// acc[16 x 64] += p[16 x 32] c[32 tokens x 64 columns of this warp].
template <class T>
__device__ __forceinline__ void value_tile(const unsigned (&p)[2][4], const T* stage, float (&acc)[8][4], int warp, int lane) {
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    const T* row = stage + (step * 16 + lane % 16) * kStride + warp * 64 + lane / 16 * 8;
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
      unsigned b[4];
      load_transposed(b, row + n * 8);
      multiply<T>(acc[n], p[step], b[0], b[1]);
      multiply<T>(acc[n + 1], p[step], b[2], b[3]);
    }
  }
}

/// This warp's columns of the sums to partial, and the running state beside them; `out` is the first row's place.
__device__ __forceinline__ void store_split(const float (&acc)[8][4], const Running (&running)[2], float* partial, float2* state,
                                            size_t out, int warp, int lane) {
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    float total = running[below].total;
    total += __shfl_xor_sync(kAllLanes, total, 1);
    total += __shfl_xor_sync(kAllLanes, total, 2);
    const size_t at = out + lane / 4 + below * 8;
    if (warp == 0 && lane % 4 == 0) state[at] = make_float2(running[below].largest, total);
#pragma unroll
    for (int n = 0; n < 8; ++n)
      *reinterpret_cast<float2*>(partial + at * kLatent + warp * 64 + n * 8 + lane % 4 * 2) =
          make_float2(acc[n][2 * below], acc[n][2 * below + 1]);
  }
}

/// groups: columns of alpha_k. scale and softcap count where kCapped, else scale_log2e.
template <bool kCapped, class T, class A>
__device__ __forceinline__ void absorbed_mma(const T* __restrict__ q_tilde, const T* __restrict__ q_rope_hat,
                                             const float* __restrict__ alpha_q, const Caches<T>& caches, const A* __restrict__ alpha_k,
                                             const int* __restrict__ lengths, float* __restrict__ partial, float2* __restrict__ state,
                                             int context, int heads, int groups, int mask, int window, float scale_log2e, float scale,
                                             float softcap) {
  extern __shared__ __align__(16) unsigned char memory[];
  T* stages = reinterpret_cast<T*>(memory);
  float* scores = reinterpret_cast<float*>(memory + kScoresAt);
  unsigned* words = reinterpret_cast<unsigned*>(memory + kFactorsAt);
  const int split = blockIdx.x, splits = gridDim.x, b = blockIdx.z, blocks = heads / kRows, queries = gridDim.y / blocks;
  const int s = blockIdx.y / blocks, head = blockIdx.y % blocks * kRows, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int length = lengths[b];
  const Range range = split_range(visible(length, queries, s, mask, window), length, split, splits);
  const size_t out = ((static_cast<size_t>(b) * queries + s) * splits + split) * heads + head;
  if (range.first >= range.last) {
    if (threadIdx.x < kRows) state[out + threadIdx.x] = make_float2(-INFINITY, 0.0f);
    return;
  }
  const int own_group = (head + static_cast<int>(threadIdx.x) % kRows) * groups / heads;
  const size_t first_alpha = (static_cast<size_t>(b) * context + range.first + threadIdx.x / kRows) * groups + own_group;
  TileCopier<T, A> copier(caches, stages, b, range, {alpha_k, first_alpha, words, groups});
#pragma unroll
  for (int stage = 0; stage + 1 < kStages; ++stage) copier.copy_next();

  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  unsigned a[kHalfSteps][4];
  load_queries(a, q_tilde, q_rope_hat, row, warp / 4, lane);
  ScoreFactors<A> factors{alpha_k != nullptr, 0, {}};
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    const int group = (head + lane / 4 + below * 8) * groups / heads;
    factors.alpha_q[below] = alpha_k != nullptr ? alpha_q[row + lane / 4 + below * 8] : 1.0f;
#pragma unroll
    for (int i = 0; i < 2; ++i) factors.odd |= ((b * context + range.first + i) * groups + group & 1) << (2 * below + i);
  }
  float acc[8][4] = {};
  Running running[2];
  unsigned stage = 0;
  for (int start = range.first; start < range.last; start += kTile) {
    wait_for_copies<kStages - 2>();
    __syncthreads();
    copier.copy_next();
    const T* tile = stages + stage * kTile * kStride;
    score_tile(a, tile, factors, words + stage * kTile * kFactorStride, scores, warp, lane);
    __syncthreads();
    if (kCapped) cap_tile(scores, scale, softcap);
    unsigned p[2][4];
    softmax_tile<kCapped, T>(scores, range.last - start, scale_log2e, running, acc, p, lane);
    value_tile(p, tile, acc, warp, lane);
    stage = (stage + 1) % kStages;
  }
  store_split(acc, running, partial, state, out, warp, lane);
}

}  // namespace equinorm

#define EQUINORM_MMA(NAME, T, A, CAPPED)                                                                                                  \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads, 1) NAME(                                                               \
      const T* q_tilde, const T* q_rope_hat, const float* alpha_q, const T* c, const int* c_table, int c_blocks, long long c_page_stride, \
      long long c_row_stride, int c_page_size, const T* k_rope, const int* rope_table, int rope_blocks, long long rope_page_stride,       \
      long long rope_row_stride, int rope_page_size, const A* alpha_k, const int* lengths, float* partial, float2* state, int context,    \
      int heads, int groups, int mask, int window, float scale_log2e, float scale, float softcap) {                                       \
    const equinorm::Caches<T> caches{{c, c_table, c_blocks, c_page_stride, c_row_stride},                                                 \
                                     {k_rope, rope_table, rope_blocks, rope_page_stride, rope_row_stride},                                \
                                     c_page_size,                                                                                         \
                                     rope_page_size};                                                                                     \
    equinorm::absorbed_mma<CAPPED>(q_tilde, q_rope_hat, alpha_q, caches, alpha_k, lengths, partial, state, context, heads, groups, mask,  \
                                   window, scale_log2e, scale, softcap);                                                                  \
  }
#define EQUINORM_COMBINE(NAME, T)                                                                    \
  extern "C" __global__ void __launch_bounds__(128, 1)                                               \
      NAME(const float* partial, const float2* state, const T* sink, T* u, float* lse, int splits) { \
    equinorm::combine_splits<equinorm::kLatent>(partial, state, sink, u, lse, splits);               \
  }
EQUINORM_MMA(absorbed_mma_fp16, __half, float, false)
EQUINORM_MMA(absorbed_mma_bf16, __nv_bfloat16, float, false)
EQUINORM_MMA(absorbed_mma_bf16_alpha, __nv_bfloat16, __nv_bfloat16, false)
EQUINORM_MMA(absorbed_mma_fp16_capped, __half, float, true)
EQUINORM_MMA(absorbed_mma_bf16_capped, __nv_bfloat16, float, true)
EQUINORM_MMA(absorbed_mma_bf16_alpha_capped, __nv_bfloat16, __nv_bfloat16, true)
EQUINORM_COMBINE(absorbed_mma_fp16_combine, __half)
EQUINORM_COMBINE(absorbed_mma_bf16_combine, __nv_bfloat16)
