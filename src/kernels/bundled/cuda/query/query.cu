// Stage query, absorbed form: q_tilde[b,s,h] = (q_content gamma_cq gamma_ck) W_K^(g)T, alpha_q[b,s,h] = 1 / S(q_content), and
// q_rope_hat[b,s,h], the RoPE query normalised by its own statistic, weighted, rotated. Schemes blockwise, none and full width: both
// statistics over all heads, weights per head (gamma_ck: per group). Grid (heads, queries, batch), 256 threads.
#include "kernels/bundled/cuda/common/numbers.cuh"

namespace equinorm {

constexpr int kThreads = 256, kWarps = kThreads / 32;

/// This thread's part of the sum of squares of x[0, count).
template <class T>
__device__ __forceinline__ float part_of_squares(const T* x, int count) {
  float sum = 0.0f;
  for (int j = threadIdx.x; j < count; j += kThreads) sum += to_float(x[j]) * to_float(x[j]);
  return sum;
}

template <class T>
__device__ __forceinline__ void query(const T* __restrict__ q_content, const T* __restrict__ q_rope, const T* __restrict__ w_k,
                                      const T* __restrict__ gamma_cq, const T* __restrict__ gamma_ck, const T* __restrict__ gamma_rq,
                                      const float* __restrict__ cosine, const float* __restrict__ sine,
                                      const long long* __restrict__ positions, T* __restrict__ q_tilde, float* __restrict__ alpha_q,
                                      T* __restrict__ q_rope_hat, int groups, int latent, int content_dim, int rope_dim, int rotated,
                                      int norm_scheme, int norm_kind, int weight_kind, int rope_layout, float eps) {
  extern __shared__ __align__(16) float memory[];  // factors [content_dim], RoPE query [rope_dim]
  __shared__ float squares[2][kWarps];             // content, RoPE
  float* rope = memory + content_dim;
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y, queries = gridDim.y, b = blockIdx.z;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = head * groups / heads;
  const size_t row = (static_cast<size_t>(b) * queries + s) * heads + head;
  const bool normed = norm_scheme != kNormNone, full_width = norm_scheme == kNormFullWidth;
  // Full width: the statistics run over the rows of all heads, and every head has weights of its own.
  const size_t first_row = full_width ? row - head : row;
  const int rows = full_width ? heads : 1;

  const T* q = q_content + row * content_dim;
  const T* head_gamma_cq = gamma_cq != nullptr && full_width ? gamma_cq + head * content_dim : gamma_cq;
  const T* head_gamma_ck = gamma_ck != nullptr && full_width ? gamma_ck + group * content_dim : gamma_ck;
  for (int j = threadIdx.x; j < content_dim; j += kThreads)
    memory[j] = to_float(q[j]) * norm_weight(head_gamma_cq, j, weight_kind) * norm_weight(head_gamma_ck, j, weight_kind);
  if (normed) {
    const float content = warp_sum(part_of_squares(q_content + first_row * content_dim, rows * content_dim));
    const float turned = q_rope != nullptr ? warp_sum(part_of_squares(q_rope + first_row * rope_dim, rows * rope_dim)) : 0.0f;
    if (lane == 0) squares[0][warp] = content, squares[1][warp] = turned;
  }
  __syncthreads();
  const auto inverse = [&](int part, int width) {
    float sum = 0.0f;
    for (int k = 0; k < kWarps; ++k) sum += squares[part][k];
    return inverse_norm(sum, width, norm_kind, eps);
  };
  if (normed && threadIdx.x == 0) alpha_q[row] = inverse(0, rows * content_dim);
  if (q_rope != nullptr && warp == 1) {
    const float alpha = normed ? inverse(1, rows * rope_dim) : 1.0f;
    const T* raw = q_rope + row * rope_dim;
    const T* gamma = gamma_rq != nullptr && full_width ? gamma_rq + head * rope_dim : gamma_rq;
    for (int j = lane; j < rope_dim; j += 32) rope[j] = to_float(raw[j]) * alpha * norm_weight(gamma, j, weight_kind);
    // A query before the first token sees nothing, and has no row in the tables.
    const long long position = rotated > 0 ? positions[static_cast<size_t>(b) * queries + s] : 0;
    const bool turns = rotated > 0 && position >= 0;
    const long long table = turns ? position * (rotated / 2) : 0;
    rotate_and_store(rope, q_rope_hat + row * rope_dim, rope_dim, rotated, rope_layout, cosine + table, sine + table, turns);
  }

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
