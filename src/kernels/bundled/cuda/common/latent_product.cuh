// Rows of latents times one group's matrix: k0 = c W_K, v = c W_V.
#pragma once

#include "kernels/bundled/cuda/common/numbers.cuh"

namespace equinorm {

constexpr int kTokenTile = 8;

/// Loads up to kTokenTile rows of `latent` numbers as fp32 into rows[kTokenTile][latent]; missing rows are zero. The whole block.
template <class T>
__device__ __forceinline__ void load_latents(const T* c, int live, int latent, float* rows) {
  for (int i = threadIdx.x; i < kTokenTile * latent; i += blockDim.x) rows[i] = i < live * latent ? to_float(c[i]) : 0.0f;
  __syncthreads();
}

/// sums[t] = sum_i rows[t][i] w[i][column], w of `width` columns, latent a multiple of 4.
template <class T>
__device__ __forceinline__ void latent_product(const float* rows, int latent, const T* w, int width, int column,
                                               float (&sums)[kTokenTile]) {
#pragma unroll
  for (int t = 0; t < kTokenTile; ++t) sums[t] = 0.0f;
  for (int i = 0; i < latent; i += 4) {
    float x[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = to_float(w[static_cast<size_t>(i + k) * width + column]);
#pragma unroll
    for (int t = 0; t < kTokenTile; ++t) {
      const float4 row = *reinterpret_cast<const float4*>(rows + t * latent + i);
      sums[t] += row.x * x[0];
      sums[t] += row.y * x[1];
      sums[t] += row.z * x[2];
      sums[t] += row.w * x[3];
    }
  }
}

}  // namespace equinorm
