// Formats and reductions that the bundled kernels share. Everything is computed in fp32; T is what tensors are stored in.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace equinorm {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr float kLn2 = 0.693147182f;

// Values of equinorm_problem's enumerations (kernel.h).
constexpr int kNormUnified = 1, kNormFullWidth = 2, kNormNone = 4, kNormL2 = 1, kWeightZeroCentred = 1, kRopeInterleaved = 0, kMaskNone = 0,
              kMaskWindow = 2;

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

/// Two neighbouring numbers of 16 bits in one register, the first in the low half.
template <class T>
__device__ __forceinline__ float2 unpack(unsigned bits);
template <>
__device__ __forceinline__ float2 unpack<__half>(unsigned bits) {
  return __half22float2(*reinterpret_cast<const __half2*>(&bits));
}
template <>
__device__ __forceinline__ float2 unpack<__nv_bfloat16>(unsigned bits) {
  return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&bits));
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(kAllLanes, x, step);
  return x;
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, step));
  return x;
}

/// 1 / S: S = sqrt(sum / width + eps) (rms), sqrt(sum + eps) (l2). Correctly rounded operations: it is done once a token.
__device__ __forceinline__ float inverse_norm(float sum_of_squares, int width, int norm_kind, float eps) {
  const float mean = norm_kind == kNormL2 ? sum_of_squares : sum_of_squares / static_cast<float>(width);
  return 1.0f / sqrtf(mean + eps);
}

/// The norm weight of dim i: 1 where there is none.
template <class T>
__device__ __forceinline__ float norm_weight(const T* gamma, int i, int weight_kind) {
  if (gamma == nullptr) return 1.0f;
  const float w = to_float(gamma[i]);
  return weight_kind == kWeightZeroCentred ? 1.0f + w : w;
}

/// Rotates x[0, rotated) (shared memory, written by this warp) by a row of the RoPE tables, and stores all of x[0, width). One warp.
template <class T>
__device__ __forceinline__ void rotate_and_store(float* x, T* out, int width, int rotated, int layout, const float* cosine,
                                                 const float* sine, bool turns) {
  const int lane = threadIdx.x % 32, half = rotated / 2;
  __syncwarp();
  if (turns) {
    for (int i = lane; i < half; i += 32) {
      float& first = x[layout == kRopeInterleaved ? 2 * i : i];
      float& second = x[layout == kRopeInterleaved ? 2 * i + 1 : i + half];
      const float a = first, b = second, c = cosine[i], s = sine[i];
      first = a * c - b * s;
      second = a * s + b * c;
    }
    __syncwarp();
  }
  for (int i = lane; i < width; i += 32) out[i] = from_float<T>(x[i]);
  __syncwarp();
}

/// Tokens [first, last) that query i of S of a row with `length` tokens sees.
struct Range {
  int first, last;
};
__device__ __forceinline__ Range visible(int length, int queries, int query, int mask, int window) {
  if (mask == kMaskNone) return {0, length};
  const int last = max(length - queries + query + 1, 0);
  return {mask == kMaskWindow ? max(last - window, 0) : 0, last};
}

}  // namespace equinorm
