// Attention of 16 query rows over bf16 keys and values with tensor cores: cp.async (two stages), ldmatrix, mma.sync m16n8k16, online softmax.
// out[row] = sum_k p_k v_k, p = softmax_k(scale <q_row, k>), keys >= `keys` masked. One warp a block, head dimension 64, tiles of 32 keys.
// q[head][16][64], k and v [head][padded keys][64] with the padding a multiple of 32; scale_log2 = scale * log2(e).
#include <cuda_bf16.h>
#include <cuda_pipeline.h>

constexpr int kRows = 16, kDim = 64, kTile = 32, kStride = kDim + 8;

__device__ __forceinline__ unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
__device__ __forceinline__ void ldmatrix_x2(unsigned (&r)[2], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}
__device__ __forceinline__ void ldmatrix_x2_trans(unsigned (&r)[2], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}
__device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ unsigned pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}

// Starts the copy of `rows` rows of 64 numbers into padded shared rows.
__device__ __forceinline__ void copy_rows(__nv_bfloat16* to, const __nv_bfloat16* from, int rows) {
  for (int i = threadIdx.x; i < rows * (kDim / 8); i += 32) {
    const int row = i / (kDim / 8), column = i % (kDim / 8) * 8;
    __pipeline_memcpy_async(to + row * kStride + column, from + row * kDim + column, 16);
  }
}

extern "C" __global__ void __launch_bounds__(32) mma_bf16(const __nv_bfloat16* __restrict__ q, const __nv_bfloat16* __restrict__ k, const __nv_bfloat16* __restrict__ v,
                                                          float* __restrict__ out, int keys, int padded, float scale_log2) {
  extern __shared__ __align__(16) __nv_bfloat16 memory[];
  __nv_bfloat16* q_tile = memory;
  __nv_bfloat16* k_tiles = q_tile + kRows * kStride;
  __nv_bfloat16* v_tiles = k_tiles + 2 * kTile * kStride;
  const int lane = threadIdx.x;
  q += blockIdx.x * kRows * kDim;
  k += static_cast<size_t>(blockIdx.x) * padded * kDim;
  v += static_cast<size_t>(blockIdx.x) * padded * kDim;
  copy_rows(q_tile, q, kRows);
  copy_rows(k_tiles, k, kTile);
  copy_rows(v_tiles, v, kTile);
  __pipeline_commit();

  float accumulator[kDim / 8][4] = {};
  float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  const int tiles = padded / kTile;
  for (int tile = 0; tile < tiles; ++tile) {
    const int stage = tile % 2;
    if (tile + 1 < tiles) {
      copy_rows(k_tiles + (1 - stage) * kTile * kStride, k + (tile + 1) * kTile * kDim, kTile);
      copy_rows(v_tiles + (1 - stage) * kTile * kStride, v + (tile + 1) * kTile * kDim, kTile);
    }
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncwarp();

    float score[kTile / 8][4] = {};
    for (int step = 0; step < kDim / 16; ++step) {
      unsigned a[4];
      ldmatrix_x4(a, shared_address(q_tile + (lane % 16) * kStride + step * 16 + lane / 16 * 8));
#pragma unroll
      for (int n = 0; n < kTile / 8; ++n) {
        unsigned b[2];
        ldmatrix_x2(b, shared_address(k_tiles + stage * kTile * kStride + (n * 8 + lane % 8) * kStride + step * 16 + lane / 8 % 2 * 8));
        mma(score[n], a, b);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float row_largest = largest[half];
#pragma unroll
      for (int n = 0; n < kTile / 8; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& x = score[n][half * 2 + i];
          const int key = tile * kTile + n * 8 + lane % 4 * 2 + i;
          x = key < keys ? x * scale_log2 : -INFINITY;
          row_largest = fmaxf(row_largest, x);
        }
      row_largest = fmaxf(row_largest, __shfl_xor_sync(0xffffffffu, row_largest, 1));
      row_largest = fmaxf(row_largest, __shfl_xor_sync(0xffffffffu, row_largest, 2));
      const float rescale = exp2f(largest[half] - row_largest);
      largest[half] = row_largest;
      total[half] *= rescale;
#pragma unroll
      for (int n = 0; n < kDim / 8; ++n) {
        accumulator[n][half * 2] *= rescale;
        accumulator[n][half * 2 + 1] *= rescale;
      }
#pragma unroll
      for (int n = 0; n < kTile / 8; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          score[n][half * 2 + i] = exp2f(score[n][half * 2 + i] - row_largest);
          total[half] += score[n][half * 2 + i];
        }
    }
#pragma unroll
    for (int step = 0; step < kTile / 16; ++step) {
      const unsigned a[4] = {pack(score[2 * step][0], score[2 * step][1]), pack(score[2 * step][2], score[2 * step][3]),
                             pack(score[2 * step + 1][0], score[2 * step + 1][1]), pack(score[2 * step + 1][2], score[2 * step + 1][3])};
#pragma unroll
      for (int n = 0; n < kDim / 8; ++n) {
        unsigned b[2];
        ldmatrix_x2_trans(b, shared_address(v_tiles + stage * kTile * kStride + (step * 16 + lane % 16) * kStride + n * 8));
        mma(accumulator[n], a, b);
      }
    }
    __syncwarp();
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = total[half];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    const int row = lane / 4 + half * 8;
#pragma unroll
    for (int n = 0; n < kDim / 8; ++n) {
      float2* to = reinterpret_cast<float2*>(out + (blockIdx.x * kRows + row) * kDim + n * 8 + lane % 4 * 2);
      *to = make_float2(accumulator[n][half * 2] / sum, accumulator[n][half * 2 + 1] / sum);
    }
  }
}
