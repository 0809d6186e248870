// Stage query, absorbed form: q_tilde[b,s,h] = (q_content gamma_cq gamma_ck) W_K^(g)T, alpha_q[b,s,h] = 1 / S(q_content), and
// q_rope_hat[b,s,h], the RoPE query normalised by its own statistic, weighted, rotated. Schemes blockwise and none. Grid (heads, queries,
// batch), 256 threads.
#include "kernels/bundled/cuda/common/numbers.cuh"

namespace equinorm {

constexpr int kThreads = 256, kWarps = kThreads / 32;

template <class T>
__device__ __forceinline__ void query(const T* __restrict__ q_content, const T* __restrict__ q_rope, const T* __restrict__ w_k,
                                      const T* __restrict__ gamma_cq, const T* __restrict__ gamma_ck, const T* __restrict__ gamma_rq,
                                      const float* __restrict__ cosine, const float* __restrict__ sine,
                                      const long long* __restrict__ positions, T* __restrict__ q_tilde, float* __restrict__ alpha_q,
                                      T* __restrict__ q_rope_hat, int groups, int latent, int content_dim, int rope_dim, int rotated,
                                      int norm_scheme, int norm_kind, int weight_kind, int rope_layout, float eps) {
  extern __shared__ __align__(16) float memory[];  // factors [content_dim], RoPE query [rope_dim]
  float* rope = memory + content_dim;
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y, queries = gridDim.y, b = blockIdx.z;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = head * groups / heads;
  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  const bool normed = norm_scheme != kNormNone;

  const T* q = q_content + row * content_dim;
  for (int j = threadIdx.x; j < content_dim; j += kThreads)
    memory[j] = to_float(q[j]) * norm_weight(gamma_cq, j, weight_kind) * norm_weight(gamma_ck, j, weight_kind);
  if (normed && warp == 0) {
    float sum = 0.0f;
    for (int j = lane; j < content_dim; j += 32) sum += to_float(q[j]) * to_float(q[j]);
    sum = warp_sum(sum);
    if (lane == 0) alpha_q[row] = inverse_norm(sum, content_dim, norm_kind, eps);
  }
  if (q_rope != nullptr && warp == 1) {
    const T* raw = q_rope + row * rope_dim;
    float alpha = 1.0f;
    if (normed) {
      float sum = 0.0f;
      for (int j = lane; j < rope_dim; j += 32) sum += to_float(raw[j]) * to_float(raw[j]);
      alpha = inverse_norm(warp_sum(sum), rope_dim, norm_kind, eps);
    }
    for (int j = lane; j < rope_dim; j += 32) rope[j] = to_float(raw[j]) * alpha * norm_weight(gamma_rq, j, weight_kind);
    // A query before the first token sees nothing, and has no row in the tables.
    const long long position = rotated > 0 ? positions[static_cast<size_t>(b) * queries + s] : 0;
    const bool turns = rotated > 0 && position >= 0;
    const long long table = turns ? position * (rotated / 2) : 0;
    rotate_and_store(rope, q_rope_hat + row * rope_dim, rope_dim, rotated, rope_layout, cosine + table, sine + table, turns);
  }
  __syncthreads();

  const T* w = w_k + static_cast<size_t>(group) * latent * content_dim;
  for (int i = warp; i < latent; i += kWarps) {
    float sum = 0.0f;
    for (int j = lane; j < content_dim; j += 32) sum += memory[j] * to_float(w[static_cast<size_t>(i) * content_dim + j]);
    sum = warp_sum(sum);
    if (lane == 0) q_tilde[row * latent + i] = from_float<T>(sum);
  }
}

}  // namespace equinorm

#define EQUINORM_QUERY(NAME, T)                                                                                                          \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads) NAME(                                                                 \
      const T* q_content, const T* q_rope, const T* w_k, const T* gamma_cq, const T* gamma_ck, const T* gamma_rq, const float* cosine,   \
      const float* sine, const long long* positions, T* q_tilde, float* alpha_q, T* q_rope_hat, int groups, int latent, int content_dim, \
      int rope_dim, int rotated, int norm_scheme, int norm_kind, int weight_kind, int rope_layout, float eps) {                          \
    equinorm::query(q_content, q_rope, w_k, gamma_cq, gamma_ck, gamma_rq, cosine, sine, positions, q_tilde, alpha_q, q_rope_hat, groups, \
                    latent, content_dim, rope_dim, rotated, norm_scheme, norm_kind, weight_kind, rope_layout, eps);                      \
  }
EQUINORM_QUERY(query_fp32, float)
EQUINORM_QUERY(query_fp16, __half)
EQUINORM_QUERY(query_bf16, __nv_bfloat16)
