// Stages score, softmax and value of the explicit form: o[b,s,h] = sum_t p_t v_t, p = softmax_t(scale <q_hat, k_hat_t>), the logits capped
// or not. Latent attention has its values computed first, v = c W_V^(g) in fp32 (explicit_values); otherwise v is an input. Width of a
// value at most 512.
#include "kernels/bundled/cuda/common/latent_product.cuh"
#include "kernels/bundled/cuda/common/softcap.cuh"

namespace equinorm {

constexpr int kThreads = 128, kColumns = 4;

/// v[b,t,g,j] = sum_i c[b,t,i] w_v[g,i,j]. Grid (tokens / 8, groups, batch).
template <class T>
__device__ __forceinline__ void explicit_values(const T* __restrict__ c, const T* __restrict__ w_v, const int* __restrict__ lengths,
                                                float* __restrict__ v, int context, int latent, int value_dim) {
  extern __shared__ __align__(16) float memory[];
  const int start = blockIdx.x * kTokenTile, group = blockIdx.y, groups = gridDim.y, b = blockIdx.z;
  const int live = min(kTokenTile, lengths[b] - start);
  if (live <= 0) return;
  const size_t token = static_cast<size_t>(b) * context + start;
  load_latents(c + token * latent, live, latent, memory);
  const T* w = w_v + static_cast<size_t>(group) * latent * value_dim;
  for (int j = threadIdx.x; j < value_dim; j += kThreads) {
    float sums[kTokenTile];
    latent_product(memory, latent, w, value_dim, j, sums);
#pragma unroll
    for (int t = 0; t < kTokenTile; ++t) {
      if (t < live) v[((token + t) * groups + group) * value_dim + j] = sums[t];
    }
  }
}

/// Grid (heads, queries, batch).
template <class T, class V>
__device__ __forceinline__ void explicit_decode(const T* __restrict__ q_hat, const T* __restrict__ k_hat, const V* __restrict__ v,
                                                const T* __restrict__ sink, const int* __restrict__ lengths, T* __restrict__ o,
                                                float* __restrict__ lse, int context, int groups, int width, int value_dim, int mask,
                                                int window, float scale_log2e, float scale, float softcap) {
  extern __shared__ __align__(16) float query[];
  __shared__ float weights[kKeyTile];
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y, queries = gridDim.y, b = blockIdx.z;
  const int lane = threadIdx.x % 32, group = head * groups / heads;
  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  for (int j = threadIdx.x; j < width; j += kThreads) query[j] = to_float(q_hat[row * width + j]);
  __syncthreads();

  const Range range = visible(lengths[b], queries, s, mask, window);
  Running running;
  float acc[kColumns] = {};
  const auto at = [&](int token) { return (static_cast<size_t>(b) * context + token) * groups + group; };
  attend(
      range.first, range.last, weights, running, acc,
      [&](int token) {
        const T* key = k_hat + at(token) * width;
        float dot = 0.0f;
        for (int j = lane; j < width; j += 32) dot += query[j] * to_float(key[j]);
        return logit_log2(warp_sum(dot), scale_log2e, scale, softcap);
      },
      [&](int token, float p, float(&sums)[kColumns]) {
        const V* value = v + at(token) * value_dim;
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          const int column = threadIdx.x + i * kThreads;
          if (column < value_dim) sums[i] += p * to_float(value[column]);
        }
      });
  if (sink != nullptr) join_sink(to_float(sink[head]) * kLog2E, running, acc);
#pragma unroll
  for (int i = 0; i < kColumns; ++i) {
    const int column = threadIdx.x + i * kThreads;
    if (column < value_dim) o[row * value_dim + column] = from_float<T>(running.total > 0.0f ? acc[i] / running.total : 0.0f);
  }
  if (threadIdx.x == 0) lse[(static_cast<size_t>(b) * heads + head) * queries + s] = lse_of(running);
}

}  // namespace equinorm

#define EQUINORM_VALUES(NAME, T)                                                                             \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads)                                           \
      NAME(const T* c, const T* w_v, const int* lengths, float* v, int context, int latent, int value_dim) { \
    equinorm::explicit_values(c, w_v, lengths, v, context, latent, value_dim);                               \
  }
#define EQUINORM_DECODE(NAME, T, V)                                                                                                        \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads)                                                                         \
      NAME(const T* q_hat, const T* k_hat, const V* v, const T* sink, const int* lengths, T* o, float* lse, int context, int groups,       \
           int width, int value_dim, int mask, int window, float scale_log2e, float scale, float softcap) {                                \
    equinorm::explicit_decode(q_hat, k_hat, v, sink, lengths, o, lse, context, groups, width, value_dim, mask, window, scale_log2e, scale, \
                              softcap);                                                                                                    \
  }
EQUINORM_VALUES(explicit_values_fp32, float)
EQUINORM_VALUES(explicit_values_fp16, __half)
EQUINORM_VALUES(explicit_values_bf16, __nv_bfloat16)
EQUINORM_DECODE(explicit_decode_fp32, float, float)
EQUINORM_DECODE(explicit_decode_fp16, __half, float)
EQUINORM_DECODE(explicit_decode_bf16, __nv_bfloat16, float)
EQUINORM_DECODE(explicit_decode_fp16_v, __half, __half)
EQUINORM_DECODE(explicit_decode_bf16_v, __nv_bfloat16, __nv_bfloat16)
