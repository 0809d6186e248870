// Logits for exp2: scaled, capped where the problem caps them.
#pragma once

#include "kernels/bundled/cuda/common/online_softmax.cuh"

namespace equinorm {

/// log2 e times cap tanh(dot scale / cap).
__device__ __forceinline__ float capped_log2(float dot, float scale, float softcap) {
  return softcap * tanhf(dot * scale / softcap) * kLog2E;
}

/// log2 e times dot scale, or capped_log2 where softcap > 0.
__device__ __forceinline__ float logit_log2(float dot, float scale_log2e, float scale, float softcap) {
  return softcap > 0.0f ? capped_log2(dot, scale, softcap) : dot * scale_log2e;
}

}  // namespace equinorm
