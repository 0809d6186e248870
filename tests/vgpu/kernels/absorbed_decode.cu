// Plain absorbed decode in fp32: out[h] = sum_k p_k c_k, p = softmax_k(scale * alpha[k] * <q_tilde[h], c_k>). One block a head, 256 threads,
// r = 512, tiles of 64 keys, online softmax.
constexpr int kRank = 512, kTile = 64, kThreads = 256, kWarps = kThreads / 32;

extern "C" __global__ void __launch_bounds__(kThreads) absorbed_decode(const float* __restrict__ q_tilde, const float* __restrict__ cache,
                                                                       const float* __restrict__ alpha, float* __restrict__ out, int keys, float scale) {
  __shared__ float q[kRank];
  __shared__ float score[kTile];
  const int head = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int i = threadIdx.x; i < kRank; i += kThreads) q[i] = q_tilde[head * kRank + i];
  __syncthreads();
  float largest = -INFINITY, total = 0.0f, first = 0.0f, second = 0.0f;
  for (int start = 0; start < keys; start += kTile) {
    const int count = min(kTile, keys - start);
    for (int k = warp; k < count; k += kWarps) {
      const float* c = cache + static_cast<size_t>(start + k) * kRank;
      float dot = 0.0f;
#pragma unroll
      for (int i = 0; i < kRank; i += 32) dot += q[i + lane] * c[i + lane];
#pragma unroll
      for (int step = 16; step > 0; step >>= 1) dot += __shfl_xor_sync(0xffffffffu, dot, step);
      if (lane == 0) score[k] = dot * alpha[start + k] * scale;
    }
    __syncthreads();
    float tile_largest = largest;
    for (int k = 0; k < count; ++k) tile_largest = fmaxf(tile_largest, score[k]);
    const float rescale = __expf(largest - tile_largest);
    largest = tile_largest;
    total *= rescale;
    first *= rescale;
    second *= rescale;
    const float* c = cache + static_cast<size_t>(start) * kRank + threadIdx.x;
    for (int k = 0; k < count; ++k) {
      const float p = __expf(score[k] - largest);
      total += p;
      first += p * c[k * kRank];
      second += p * c[k * kRank + kThreads];
    }
    __syncthreads();
  }
  out[head * kRank + threadIdx.x] = first / total;
  out[head * kRank + threadIdx.x + kThreads] = second / total;
}
