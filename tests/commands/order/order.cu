// o = u W_V, once right and then in ways that give the right numbers only while blocks and warps run in their order.
// u [rows, latent], w_v [groups, latent, value_dim]; a block a row, 64 threads. order.ptx: nvcc -ptx -arch=sm_80 -lineinfo order.cu

// Component `column` of output row `row`.
__device__ float component(const float* u, const float* w_v, int row, int column, int heads, int groups, int latent, int value_dim) {
  const int group = row % heads * groups / heads;
  float sum = 0;
#pragma unroll 1
  for (int k = 0; k < latent; ++k) sum += u[row * latent + k] * w_v[(group * latent + k) * value_dim + column];
  return sum;
}

extern "C" __global__ void right(const float* u, const float* w_v, float* o, float*, int heads, int groups, int latent, int value_dim) {
  for (int j = threadIdx.x; j < value_dim; j += blockDim.x)
    o[blockIdx.x * value_dim + j] = component(u, w_v, blockIdx.x, j, heads, groups, latent, value_dim);
}

// Each warp writes the whole row, only the last one the right numbers.
extern "C" __global__ void two_writers(const float* u, const float* w_v, float* o, float*, int heads, int groups, int latent,
                                       int value_dim) {
  for (int j = threadIdx.x % 32; j < value_dim; j += 32)
    o[blockIdx.x * value_dim + j] = threadIdx.x < 32 ? 777 : component(u, w_v, blockIdx.x, j, heads, groups, latent, value_dim);
}

// Block 0 copies u for all; nothing makes the others wait for it.
extern "C" __global__ void copy_by_one(const float* u, const float* w_v, float* o, float* copy, int heads, int groups, int latent,
                                       int value_dim) {
  if (blockIdx.x == 0)
    for (int i = threadIdx.x; i < gridDim.x * latent; i += blockDim.x) copy[i] = u[i];
  __syncthreads();
  for (int j = threadIdx.x; j < value_dim; j += blockDim.x)
    o[blockIdx.x * value_dim + j] = component(copy, w_v, blockIdx.x, j, heads, groups, latent, value_dim);
}
