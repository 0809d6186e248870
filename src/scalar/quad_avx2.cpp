// 2 x 8 tile of pairs; the operations of quad_portable.cpp, 4 lanes at a time.
#include <immintrin.h>

#include "scalar/quad_body.hpp"

namespace equinorm::scalar::wide {
namespace {

constexpr int kRows = 2;
constexpr int kVectors = 2;
constexpr int kLanes = 4;
constexpr int kColumns = kVectors * kLanes;

void accumulate(std::int64_t depth, const double* a, const double* b, double* s, double* c) {
  __m256d sum[kRows][kVectors];
  __m256d correction[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = _mm256_load_pd(s + i * kColumns + j * kLanes);
      correction[i][j] = _mm256_load_pd(c + i * kColumns + j * kLanes);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    for (int i = 0; i < kRows; ++i) {
      const __m256d left = _mm256_set1_pd(a[k * kRows + i]);
      for (int j = 0; j < kVectors; ++j) {
        const __m256d right = _mm256_load_pd(b + k * kColumns + j * kLanes);
        const __m256d p = _mm256_mul_pd(left, right);
        const __m256d e = _mm256_fmsub_pd(left, right, p);
        const __m256d next = _mm256_add_pd(sum[i][j], p);
        const __m256d part = _mm256_sub_pd(next, sum[i][j]);
        const __m256d sigma = _mm256_add_pd(_mm256_sub_pd(sum[i][j], _mm256_sub_pd(next, part)), _mm256_sub_pd(p, part));
        sum[i][j] = next;
        correction[i][j] = _mm256_add_pd(correction[i][j], _mm256_add_pd(sigma, e));
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      _mm256_store_pd(s + i * kColumns + j * kLanes, sum[i][j]);
      _mm256_store_pd(c + i * kColumns + j * kLanes, correction[i][j]);
    }
  }
}

}  // namespace

const Kernel kAvx2Kernel{kRows, kColumns, accumulate};

}  // namespace equinorm::scalar::wide
