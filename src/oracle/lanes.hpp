// One binary64 number, or a SIMD register of them, with the few operations that the oracle's kernels need.
//
// Compiled for several instruction sets into one program: everything is forced inline and a lane type exists only where its instructions
// do, so that no out-of-line copy can be merged with one that the processor cannot run.
#pragma once

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define EQUINORM_ORACLE_INLINE [[gnu::always_inline]] static inline

namespace equinorm::oracle {

/// One number. __builtin_fma is exact to one rounding on every processor (libm does it where there is no instruction).
struct One {
  using V = double;
  static constexpr int kCount = 1;
  EQUINORM_ORACLE_INLINE V load(const double* p) { return *p; }
  EQUINORM_ORACLE_INLINE void store(double* p, V v) { *p = v; }
  EQUINORM_ORACLE_INLINE V set(double x) { return x; }
  EQUINORM_ORACLE_INLINE V fma(V a, V b, V c) { return __builtin_fma(a, b, c); }
  EQUINORM_ORACLE_INLINE V abs(V a) { return __builtin_fabs(a); }
  EQUINORM_ORACLE_INLINE V sqrt(V a) { return __builtin_sqrt(a); }
};

#if defined(__AVX2__) && defined(__FMA__)
struct Four {
  using V = __m256d;
  static constexpr int kCount = 4;
  EQUINORM_ORACLE_INLINE V load(const double* p) { return _mm256_loadu_pd(p); }
  EQUINORM_ORACLE_INLINE void store(double* p, V v) { _mm256_storeu_pd(p, v); }
  EQUINORM_ORACLE_INLINE V set(double x) { return _mm256_set1_pd(x); }
  EQUINORM_ORACLE_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  EQUINORM_ORACLE_INLINE V abs(V a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
  EQUINORM_ORACLE_INLINE V sqrt(V a) { return _mm256_sqrt_pd(a); }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
struct Eight {
  using V = __m512d;
  static constexpr int kCount = 8;
  EQUINORM_ORACLE_INLINE V load(const double* p) { return _mm512_loadu_pd(p); }
  EQUINORM_ORACLE_INLINE void store(double* p, V v) { _mm512_storeu_pd(p, v); }
  EQUINORM_ORACLE_INLINE V set(double x) { return _mm512_set1_pd(x); }
  EQUINORM_ORACLE_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  EQUINORM_ORACLE_INLINE V abs(V a) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a); }
  EQUINORM_ORACLE_INLINE V sqrt(V a) { return _mm512_sqrt_pd(a); }
};
#endif

}  // namespace equinorm::oracle
