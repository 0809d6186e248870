// Stages score, softmax and value of the absorbed form, the plain way: u[b,s,h] = sum_t p_t c_t, p = softmax_t(scale (alpha_q alpha_k,t
// <q_tilde, c_t> + <q_rope_hat, k_rope_cached,t>)), the logits capped or not. alpha_k of one column (a full-width norm) is every group's.
// Any latent up to 1024. Grid (heads, queries, batch), 256 threads, shared memory for the query in fp32.
#include "kernels/bundled/cuda/common/softcap.cuh"

namespace equinorm {

constexpr int kThreads = 256, kColumns = 4;

template <class T>
__device__ __forceinline__ void absorbed_plain(const T* __restrict__ q_tilde, const T* __restrict__ q_rope_hat,
                                               const float* __restrict__ alpha_q, const T* __restrict__ c, const T* __restrict__ k_rope,
                                               const float* __restrict__ alpha_k, const T* __restrict__ sink,
                                               const int* __restrict__ lengths, T* __restrict__ u, float* __restrict__ lse, int context,
                                               int groups, int latent, int rope_dim, int mask, int window, float scale_log2e, float scale,
                                               float softcap, int norm_scheme) {
  extern __shared__ __align__(16) float query[];
  __shared__ float weights[kKeyTile];
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y, queries = gridDim.y, b = blockIdx.z;
  const int lane = threadIdx.x % 32, group = head * groups / heads, columns = norm_scheme == kNormFullWidth ? 1 : groups;
  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  for (int j = threadIdx.x; j < latent; j += kThreads) query[j] = to_float(q_tilde[row * latent + j]);
  for (int j = threadIdx.x; j < rope_dim; j += kThreads) query[latent + j] = to_float(q_rope_hat[row * rope_dim + j]);
  __syncthreads();

  const Range range = visible(lengths[b], queries, s, mask, window);
  const float query_factor = alpha_q != nullptr ? alpha_q[row] : 1.0f;
  Running running;
  float acc[kColumns] = {};
  attend(
      range.first, range.last, weights, running, acc,
      [&](int token) {
        const size_t at = static_cast<size_t>(b) * context + token;
        float content = 0.0f, rope = 0.0f;
        for (int j = lane; j < latent; j += 32) content += query[j] * to_float(c[at * latent + j]);
        for (int j = lane; j < rope_dim; j += 32) rope += query[latent + j] * to_float(k_rope[at * rope_dim + j]);
        const float factor = alpha_k != nullptr ? query_factor * alpha_k[at * columns + (columns == 1 ? 0 : group)] : 1.0f;
        return logit_log2(warp_sum(content) * factor + warp_sum(rope), scale_log2e, scale, softcap);
      },
      [&](int token, float p, float(&sums)[kColumns]) {
        const T* value = c + (static_cast<size_t>(b) * context + token) * latent;
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          const int column = threadIdx.x + i * kThreads;
          if (column < latent) sums[i] += p * to_float(value[column]);
        }
      });
  if (sink != nullptr) join_sink(to_float(sink[head]) * kLog2E, running, acc);
#pragma unroll
  for (int i = 0; i < kColumns; ++i) {
    const int column = threadIdx.x + i * kThreads;
    if (column < latent) u[row * latent + column] = from_float<T>(running.total > 0.0f ? acc[i] / running.total : 0.0f);
  }
  if (threadIdx.x == 0) lse[(static_cast<size_t>(b) * heads + head) * queries + s] = lse_of(running);
}

}  // namespace equinorm

#define EQUINORM_PLAIN(NAME, T)                                                                                                           \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads)                                                                        \
      NAME(const T* q_tilde, const T* q_rope_hat, const float* alpha_q, const T* c, const T* k_rope, const float* alpha_k, const T* sink, \
           const int* lengths, T* u, float* lse, int context, int groups, int latent, int rope_dim, int mask, int window,                 \
           float scale_log2e, float scale, float softcap, int norm_scheme) {                                                              \
    equinorm::absorbed_plain(q_tilde, q_rope_hat, alpha_q, c, k_rope, alpha_k, sink, lengths, u, lse, context, groups, latent, rope_dim,  \
                             mask, window, scale_log2e, scale, softcap, norm_scheme);                                                     \
  }
EQUINORM_PLAIN(absorbed_plain_fp32, float)
EQUINORM_PLAIN(absorbed_plain_fp16, __half)
EQUINORM_PLAIN(absorbed_plain_bf16, __nv_bfloat16)
