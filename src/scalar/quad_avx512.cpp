// 4 x 16 tile of pairs; the operations of quad_portable.cpp, 8 lanes at a time.
#include <immintrin.h>

#include "scalar/quad_body.hpp"

namespace equinorm::scalar::wide {
namespace {

constexpr int kRows = 4;
constexpr int kVectors = 2;
constexpr int kLanes = 8;
constexpr int kColumns = kVectors * kLanes;

void accumulate(std::int64_t depth, const double* a, const double* b, double* s, double* c) {
  __m512d sum[kRows][kVectors];
  __m512d correction[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = _mm512_load_pd(s + i * kColumns + j * kLanes);
      correction[i][j] = _mm512_load_pd(c + i * kColumns + j * kLanes);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    for (int i = 0; i < kRows; ++i) {
      const __m512d left = _mm512_set1_pd(a[k * kRows + i]);
      for (int j = 0; j < kVectors; ++j) {
        const __m512d right = _mm512_load_pd(b + k * kColumns + j * kLanes);
        const __m512d p = _mm512_mul_pd(left, right);
        const __m512d e = _mm512_fmsub_pd(left, right, p);
        const __m512d next = _mm512_add_pd(sum[i][j], p);
        const __m512d part = _mm512_sub_pd(next, sum[i][j]);
        const __m512d sigma = _mm512_add_pd(_mm512_sub_pd(sum[i][j], _mm512_sub_pd(next, part)), _mm512_sub_pd(p, part));
        sum[i][j] = next;
        correction[i][j] = _mm512_add_pd(correction[i][j], _mm512_add_pd(sigma, e));
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      _mm512_store_pd(s + i * kColumns + j * kLanes, sum[i][j]);
      _mm512_store_pd(c + i * kColumns + j * kLanes, correction[i][j]);
    }
  }
}

}  // namespace

const Kernel kAvx512Kernel{kRows, kColumns, accumulate};

}  // namespace equinorm::scalar::wide
