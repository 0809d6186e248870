// Softmax averages over the keys of one query row, by one block, in tiles; and how splits are joined.
#pragma once

#include "kernels/bundled/cuda/common/numbers.cuh"

namespace equinorm {

constexpr int kKeyTile = 64;

/// Relative to 2^largest: total = sum of the weights, and beside it (acc) the weighted sums of this thread's columns.
struct Running {
  float largest = -INFINITY, total = 0.0f;
};

/// Runs over tokens [begin, end). score(token) is called by whole warps and returns the logit times log2 e in every lane; add(token, p,
/// acc) adds p times this thread's columns. weights[kKeyTile] is shared memory.
template <int kColumns, class Score, class Add>
__device__ __forceinline__ void attend(int begin, int end, float* weights, Running& running, float (&acc)[kColumns], Score score, Add add) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (int start = begin; start < end; start += kKeyTile) {
    const int count = min(kKeyTile, end - start);
    for (int k = warp; k < count; k += warps) {
      const float logit = score(start + k);
      if (lane == 0) weights[k] = logit;
    }
    __syncthreads();
    float largest = running.largest;
    for (int k = 0; k < count; ++k) largest = fmaxf(largest, weights[k]);
    __syncthreads();
    if (threadIdx.x < count) weights[threadIdx.x] = exp2f(weights[threadIdx.x] - largest);
    const float rescale = exp2f(running.largest - largest);
    running.largest = largest;
    running.total *= rescale;
#pragma unroll
    for (int i = 0; i < kColumns; ++i) acc[i] *= rescale;
    __syncthreads();
    for (int k = 0; k < count; ++k) {
      running.total += weights[k];
      add(start + k, weights[k], acc);
    }
    __syncthreads();
  }
}

/// A sink logit joins the denominator only.
template <int kColumns>
__device__ __forceinline__ void join_sink(float sink_log2, Running& running, float (&acc)[kColumns]) {
  const float largest = fmaxf(running.largest, sink_log2), rescale = exp2f(running.largest - largest);
  running.total = running.total * rescale + exp2f(sink_log2 - largest);
  running.largest = largest;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) acc[i] *= rescale;
}

/// Natural logarithm of the sum; -inf of an empty one.
__device__ __forceinline__ float lse_of(const Running& running) {
  return running.total != 0.0f ? (running.largest + __log2f(running.total)) * kLn2 : -INFINITY;
}

constexpr float kLog2E = 1.44269504f;

/// Joins splits: partial[row][split][head][latent] are sums relative to 2^state.x, state[row][split][head].y their totals, row = (b, s); a
/// split without a token has state (-inf, 0), and its partial is not there. u[row][head][latent], lse[b][head][s]. One block of kLatent / 4
/// threads per (head, s, b): a lane holds the state of one split of 32, a thread four columns, of kAhead splits at a time.
template <int kLatent, class T>
__device__ __forceinline__ void combine_splits(const float* __restrict__ partial, const float2* __restrict__ state,
                                               const T* __restrict__ sink, T* __restrict__ u, float* __restrict__ lse, int splits) {
  static_assert(kLatent % 128 == 0, "whole warps");
  constexpr int kAhead = 16;
  const int head = blockIdx.x, heads = gridDim.x, s = blockIdx.y, queries = gridDim.y, b = blockIdx.z, lane = threadIdx.x % 32;
  const size_t row = static_cast<size_t>(b) * queries + s, first_split = row * splits * heads + head;
  const float sink_log2 = sink != nullptr ? to_float(sink[head]) * kLog2E : -INFINITY;
  float largest = sink_log2;
#pragma unroll 4
  for (int k = lane; k < splits; k += 32) largest = fmaxf(largest, state[first_split + static_cast<size_t>(k) * heads].x);
  largest = warp_max(largest);

  float total = 0.0f;
  float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  for (int begin = 0; begin < splits; begin += 32) {
    float mine = 0.0f;
    if (begin + lane < splits) {
      const float2 one = state[first_split + static_cast<size_t>(begin + lane) * heads];
      if (one.y != 0.0f) mine = exp2f(one.x - largest);
      total += one.y * mine;
    }
    for (int k = 0; k < min(splits - begin, 32); k += kAhead) {
      float weight[kAhead];
      float4 x[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        weight[i] = __shfl_sync(kAllLanes, mine, k + i);
        x[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        const size_t at = (first_split + static_cast<size_t>(begin + k + i) * heads) * kLatent;
        if (weight[i] != 0.0f) x[i] = reinterpret_cast<const float4*>(partial + at)[threadIdx.x];
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        sum.x += weight[i] * x[i].x;
        sum.y += weight[i] * x[i].y;
        sum.z += weight[i] * x[i].z;
        sum.w += weight[i] * x[i].w;
      }
    }
  }
  total = warp_sum(total);
  if (sink != nullptr) total += exp2f(sink_log2 - largest);

  const float columns[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
  for (int i = 0; i < 4; ++i)
    u[(row * heads + head) * kLatent + threadIdx.x * 4 + i] = from_float<T>(total != 0.0f ? columns[i] / total : 0.0f);
  if (threadIdx.x == 0) lse[(static_cast<size_t>(b) * heads + head) * queries + s] = lse_of({largest, total});
}

}  // namespace equinorm
