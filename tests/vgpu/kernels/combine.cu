// Combines split partial results: out[h][i] = sum_s w_s partial[s][h][i], w_s = 2^(lse[s][h] - m) / sum, m = max_s lse; an empty split has lse = -inf.
// One block a (head, half of the columns), 64 threads. The last block to finish writes the largest |out| of all, and a count of the live splits.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

constexpr int kDim = 128;

extern "C" __global__ void __launch_bounds__(64) combine(const float* __restrict__ partial, const float* __restrict__ lse, float* out, float* lse_out,
                                                         unsigned* ticket, int* largest_bits, unsigned* live, float* summary, int splits, int heads) {
  __shared__ float weight[64];
  __shared__ bool is_last;
  cg::thread_block block = cg::this_thread_block();
  const int head = blockIdx.x, column = blockIdx.y * 64 + threadIdx.x;
  const float mine = threadIdx.x < splits ? lse[threadIdx.x * heads + head] : -INFINITY;
  weight[threadIdx.x] = mine;
  if (mine > -INFINITY) {
    cg::coalesced_group active = cg::coalesced_threads();
    if (active.thread_rank() == 0) atomicAdd(live, active.size());
  }
  block.sync();
  float m = -INFINITY;
  for (int s = 0; s < splits; ++s) m = fmaxf(m, weight[s]);
  float sum = 0.0f, x = 0.0f;
  if (m > -INFINITY) {
    for (int s = 0; s < splits; ++s) {
      const float w = exp2f(weight[s] - m);
      sum += w;
      if (w > 0.0f) x += w * __ldcg(partial + (static_cast<size_t>(s) * heads + head) * kDim + column);
    }
    x /= sum;
  }
  out[head * kDim + column] = x;
  if (column == 0) lse_out[head] = m > -INFINITY ? m + __log2f(sum) : -INFINITY;
  atomicMax(largest_bits, __float_as_int(fabsf(x)));
  __threadfence();
  block.sync();
  if (threadIdx.x == 0) is_last = atomicAdd(ticket, 1u) == gridDim.x * gridDim.y - 1;
  block.sync();
  if (is_last && threadIdx.x == 0) {
    summary[0] = __int_as_float(atomicExch(largest_bits, 0));
    summary[1] = static_cast<float>(atomicExch(reinterpret_cast<int*>(live), 0));
    *ticket = 0;
  }
}
