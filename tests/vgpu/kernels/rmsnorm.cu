// RMSNorm over rows: out[row][i] = x[row][i] * weight[i] / sqrt(mean_j x[row][j]^2 + eps). One block a row, 128 threads.
extern "C" __global__ void __launch_bounds__(128) rmsnorm(const float* __restrict__ x, const float* __restrict__ weight, float* __restrict__ out, int dim,
                                                          float eps) {
  __shared__ float partial[4];
  const float* row = x + static_cast<size_t>(blockIdx.x) * dim;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < dim; i += blockDim.x) sum += row[i] * row[i];
  for (int step = 16; step > 0; step >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  const float total = partial[0] + partial[1] + partial[2] + partial[3];
  const float alpha = rsqrtf(total / static_cast<float>(dim) + eps);
  for (int i = threadIdx.x; i < dim; i += blockDim.x) out[static_cast<size_t>(blockIdx.x) * dim + i] = row[i] * alpha * weight[i];
}
