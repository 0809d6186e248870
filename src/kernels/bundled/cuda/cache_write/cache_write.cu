// Stage cache_write, absorbed form: alpha_k[b,t,g] = 1 / S(c W_K^(g)) and k_rope_cached[b,t], the RoPE key normalised (blockwise; unified:
// only weighted) and rotated. Blockwise: S over the content block; unified: over content and RoPE key together; none: no alpha_k. Grid
// (tokens / 8, groups, batch), 128 threads, shared memory for 8 latents and 8 RoPE keys in fp32.
// Full width: one S for the content blocks of all groups, alpha_k[b,t,0]. The blocks of a group leave their sums of squares in
// sums[b,t,g], and cache_write_join makes one number of a token's: grid (tokens / 128, batch), 128 threads.
#include "kernels/bundled/cuda/common/latent_product.cuh"

namespace equinorm {

constexpr int kThreads = 128, kWarps = kThreads / 32;

/// Adds this thread's part of |row t W_K|^2 to squares[t].
template <class T>
__device__ __forceinline__ void add_squares(const float* rows, const T* w, int latent, int content_dim, float (&squares)[kTokenTile]) {
  for (int j = threadIdx.x; j < content_dim; j += kThreads) {
    float k0[kTokenTile];
    latent_product(rows, latent, w, content_dim, j, k0);
#pragma unroll
    for (int t = 0; t < kTokenTile; ++t) squares[t] += k0[t] * k0[t];
  }
}

template <class T, class A>
__device__ __forceinline__ void cache_write(const T* __restrict__ c, const T* __restrict__ k_rope, const T* __restrict__ w_k,
                                            const T* __restrict__ gamma_rk, const T* __restrict__ gamma_k, const float* __restrict__ cosine,
                                            const float* __restrict__ sine, const long long* __restrict__ positions,
                                            const int* __restrict__ lengths, A* __restrict__ alpha_k, T* __restrict__ k_rope_cached,
                                            float* __restrict__ sums, int context, int latent, int content_dim, int rope_dim, int rotated,
                                            int norm_scheme, int norm_kind, int weight_kind, int rope_layout, float eps) {
  extern __shared__ __align__(16) float memory[];
  __shared__ float partial[kWarps][kTokenTile];
  float* keys = memory + kTokenTile * latent;
  const int start = blockIdx.x * kTokenTile, group = blockIdx.y, groups = gridDim.y, b = blockIdx.z;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int live = min(kTokenTile, lengths[b] - start);
  if (live <= 0) return;
  const size_t token = static_cast<size_t>(b) * context + start;

  if (norm_scheme != kNormNone) {
    load_latents(c + token * latent, live, latent, memory);
    float squares[kTokenTile] = {};
    add_squares(memory, w_k + static_cast<size_t>(group) * latent * content_dim, latent, content_dim, squares);
    if (norm_scheme == kNormUnified) {
      for (int j = threadIdx.x; j < rope_dim; j += kThreads) {
        for (int t = 0; t < live; ++t) {
          const float x = to_float(k_rope[(token + t) * rope_dim + j]);
          squares[t] += x * x;
        }
      }
    }
#pragma unroll
    for (int t = 0; t < kTokenTile; ++t) {
      const float sum = warp_sum(squares[t]);
      if (lane == 0) partial[warp][t] = sum;
    }
    __syncthreads();
    if (threadIdx.x < live) {
      float sum = 0.0f;
      for (int k = 0; k < kWarps; ++k) sum += partial[k][threadIdx.x];
      const size_t at = (token + threadIdx.x) * groups + group;
      if (norm_scheme == kNormFullWidth && groups > 1) {
        sums[at] = sum;
      } else {
        const int width = norm_scheme == kNormUnified ? content_dim + rope_dim : content_dim;
        alpha_k[at] = from_float<A>(inverse_norm(sum, width, norm_kind, eps));
      }
    }
  }
  if (group != 0 || k_rope == nullptr) return;

  const T* gamma = gamma_rk != nullptr ? gamma_rk : gamma_k != nullptr ? gamma_k + content_dim : nullptr;
  for (int t = warp; t < live; t += kWarps) {
    const T* raw = k_rope + (token + t) * rope_dim;
    float* key = keys + t * rope_dim;
    float alpha = 1.0f;
    if (norm_scheme != kNormNone && norm_scheme != kNormUnified) {
      float sum = 0.0f;
      for (int j = lane; j < rope_dim; j += 32) sum += to_float(raw[j]) * to_float(raw[j]);
      alpha = inverse_norm(warp_sum(sum), rope_dim, norm_kind, eps);
    }
    for (int j = lane; j < rope_dim; j += 32) key[j] = to_float(raw[j]) * alpha * norm_weight(gamma, j, weight_kind);
    const long long position = rotated > 0 ? positions[token + t] : 0;
    rotate_and_store(key, k_rope_cached + (token + t) * rope_dim, rope_dim, rotated, rope_layout, cosine + position * (rotated / 2),
                     sine + position * (rotated / 2), rotated > 0);
  }
}

/// alpha_k[b,t] = 1 / S of the sums[b,t,g] of all groups, in their order.
template <class A>
__device__ __forceinline__ void join_groups(const float* __restrict__ sums, const int* __restrict__ lengths, A* __restrict__ alpha_k,
                                            int context, int groups, int content_dim, int norm_kind, float eps) {
  const int t = blockIdx.x * kThreads + threadIdx.x, b = blockIdx.y;
  if (t >= lengths[b]) return;
  const size_t token = static_cast<size_t>(b) * context + t;
  float sum = 0.0f;
  for (int g = 0; g < groups; ++g) sum += sums[token * groups + g];
  alpha_k[token] = from_float<A>(inverse_norm(sum, groups * content_dim, norm_kind, eps));
}

}  // namespace equinorm

#define EQUINORM_CACHE_WRITE(NAME, T, A)                                                                                              \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads)                                                                    \
      NAME(const T* c, const T* k_rope, const T* w_k, const T* gamma_rk, const T* gamma_k, const float* cosine, const float* sine,    \
           const long long* positions, const int* lengths, A* alpha_k, T* k_rope_cached, float* sums, int context, int latent,        \
           int content_dim, int rope_dim, int rotated, int norm_scheme, int norm_kind, int weight_kind, int rope_layout, float eps) { \
    equinorm::cache_write(c, k_rope, w_k, gamma_rk, gamma_k, cosine, sine, positions, lengths, alpha_k, k_rope_cached, sums, context, \
                          latent, content_dim, rope_dim, rotated, norm_scheme, norm_kind, weight_kind, rope_layout, eps);             \
  }
#define EQUINORM_CACHE_WRITE_JOIN(NAME, A)                                                                                          \
  extern "C" __global__ void __launch_bounds__(equinorm::kThreads)                                                                  \
      NAME(const float* sums, const int* lengths, A* alpha_k, int context, int groups, int content_dim, int norm_kind, float eps) { \
    equinorm::join_groups(sums, lengths, alpha_k, context, groups, content_dim, norm_kind, eps);                                    \
  }
EQUINORM_CACHE_WRITE(cache_write_fp32, float, float)
EQUINORM_CACHE_WRITE(cache_write_fp16, __half, float)
EQUINORM_CACHE_WRITE(cache_write_bf16, __nv_bfloat16, float)
EQUINORM_CACHE_WRITE(cache_write_bf16_alpha, __nv_bfloat16, __nv_bfloat16)
EQUINORM_CACHE_WRITE_JOIN(cache_write_join, float)
EQUINORM_CACHE_WRITE_JOIN(cache_write_alpha_join, __nv_bfloat16)
