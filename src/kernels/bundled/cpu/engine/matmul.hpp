// Dense arithmetic of the bundled CPU kernels: fp32 throughout, any order of summation.
#pragma once

#include <cstdint>

namespace equinorm::kernels::cpu {

using Index = std::int64_t;

/// c[m,n] += a[m,depth] b[depth,n], rows lda, ldb, ldc numbers apart.
void multiply_add(Index m, Index n, Index depth, const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc);

/// sum_j a_j b_j.
float dot(const float* a, const float* b, Index n);

/// out[width,rows] = in[rows,width] transposed.
void transpose(const float* in, Index rows, Index width, float* out);

}  // namespace equinorm::kernels::cpu
