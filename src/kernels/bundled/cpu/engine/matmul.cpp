#include "kernels/bundled/cpu/engine/matmul.hpp"

#include <algorithm>
#include <cstring>

// One body for every x86-64, a second one for AVX2 with FMA (x86-64-v3; an architecture by name would mean that very model), chosen when
// the library is loaded. Not under sanitizers: choosing comes before their start.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EQUINORM_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define EQUINORM_CLONES
#endif

// Without this the sums would live in memory.
#define EQUINORM_UNROLL _Pragma("GCC unroll 8")

namespace equinorm::kernels::cpu {
namespace {

constexpr Index kLanes = 8, kRows = 4, kColumns = 16;
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

/// `rows` rows and 16 columns of c stay in registers while depth runs.
template <Index rows>
__attribute__((always_inline)) inline void block(Index depth, const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc) {
  Vector sums[rows][2];
  EQUINORM_UNROLL
  for (Index i = 0; i < rows; ++i) {
    EQUINORM_UNROLL
    for (Index half = 0; half < 2; ++half) sums[i][half] = *reinterpret_cast<const Vector*>(c + i * ldc + half * kLanes);
  }
  for (Index k = 0; k < depth; ++k) {
    const Vector low = *reinterpret_cast<const Vector*>(b + k * ldb), high = *reinterpret_cast<const Vector*>(b + k * ldb + kLanes);
    EQUINORM_UNROLL
    for (Index i = 0; i < rows; ++i) {
      const float factor = a[i * lda + k];
      sums[i][0] += factor * low;
      sums[i][1] += factor * high;
    }
  }
  EQUINORM_UNROLL
  for (Index i = 0; i < rows; ++i) {
    EQUINORM_UNROLL
    for (Index half = 0; half < 2; ++half) *reinterpret_cast<Vector*>(c + i * ldc + half * kLanes) = sums[i][half];
  }
}

}  // namespace

EQUINORM_CLONES
void multiply_add(Index m, Index n, Index depth, const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc) {
  const Index whole = n / kColumns * kColumns;
  for (Index j = 0; j < whole; j += kColumns) {
    Index i = 0;
    for (; i + kRows <= m; i += kRows) block<kRows>(depth, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
    for (; i < m; ++i) block<1>(depth, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
  }
  for (Index i = 0; i < m; ++i) {
    for (Index k = 0; k < depth; ++k) {
      const float factor = a[i * lda + k];
      for (Index j = whole; j < n; ++j) c[i * ldc + j] += factor * b[k * ldb + j];
    }
  }
}

EQUINORM_CLONES
float dot(const float* a, const float* b, Index n) {
  Vector sums[2] = {};
  Index k = 0;
  for (; k + 2 * kLanes <= n; k += 2 * kLanes) {
    for (Index half = 0; half < 2; ++half) {
      sums[half] += *reinterpret_cast<const Vector*>(a + k + half * kLanes) * *reinterpret_cast<const Vector*>(b + k + half * kLanes);
    }
  }
  const Vector joined = sums[0] + sums[1];
  float total = 0;
  for (Index lane = 0; lane < kLanes; ++lane) total += joined[lane];
  for (; k < n; ++k) total += a[k] * b[k];
  return total;
}

void transpose(const float* in, Index rows, Index width, float* out) {
  constexpr Index kTile = 16;
  for (Index row = 0; row < rows; row += kTile) {
    for (Index column = 0; column < width; column += kTile) {
      for (Index j = column; j < std::min(column + kTile, width); ++j) {
        for (Index i = row; i < std::min(row + kTile, rows); ++i) out[j * rows + i] = in[i * width + j];
      }
    }
  }
}

}  // namespace equinorm::kernels::cpu
