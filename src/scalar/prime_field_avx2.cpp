// 4 x 12 tile on the 32-bit multiplier of AVX2, Karatsuba over two 25-bit limbs: a = a0 + 2^25 a1.
//
// L = sum a0 b0, H = sum a1 b1, M = sum (a0 + a1)(b0 + b1), and sum a b = L + 2^25 (M - L - H) + 2^50 H. The factors of M are below 2^26,
// so 4096 terms keep M below 2^64, L and H below 2^62. The three sums take one pass each over the packed operands, to stay within 16
// registers.
#include <immintrin.h>

#include "scalar/prime_field_body.hpp"

namespace equinorm::scalar::prime_field {
namespace {

constexpr int kRows = 4;
constexpr int kVectors = 3;
constexpr int kLanes = 4;
constexpr int kColumns = kVectors * kLanes;

using Lanes = unsigned long long __attribute__((vector_size(32)));
constexpr unsigned long long kPrime = (1ULL << 50) - 27;

/// sums(i, j) = sum_k a(k, i) b(k, j) over the integers, for factors below 2^32.
inline void multiply_plane(std::int64_t depth, const std::uint64_t* a, const std::uint64_t* b, __m256i (&sums)[kRows][kVectors]) {
  __m256i s[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) s[i][j] = _mm256_setzero_si256();
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    __m256i right[kVectors];
    for (int j = 0; j < kVectors; ++j) right[j] = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + k * kColumns + j * kLanes));
    for (int i = 0; i < kRows; ++i) {
      const __m256i left = _mm256_set1_epi64x(static_cast<long long>(a[k * kRows + i]));
      for (int j = 0; j < kVectors; ++j) s[i][j] = _mm256_add_epi64(s[i][j], _mm256_mul_epu32(left, right[j]));
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) sums[i][j] = s[i][j];
  }
}

/// Congruent to x and below 2^50 + 27 * 2^14.
inline Lanes fold(Lanes x) { return 27 * (x >> 50) + (x & ((1ULL << 50) - 1)); }

/// L + 2^25 (M - L - H) + 2^50 H mod p. The middle sum m = 2^25 m1 + m0 has m1 < 2^38, so that 2^25 m = 27 m1 + 2^25 m0 mod p, and
/// fold(L) + 2^25 m0 + 27 (m1 + fold(H)) < 2^56.
inline __m256i reduce(__m256i low, __m256i middle, __m256i high) {
  const Lanes l = reinterpret_cast<Lanes>(low);
  const Lanes h = reinterpret_cast<Lanes>(high);
  const Lanes m = reinterpret_cast<Lanes>(middle) - l - h;
  const Lanes sum = fold(fold(l) + ((m & ((1ULL << 25) - 1)) << 25) + 27 * ((m >> 25) + fold(h)));
  return reinterpret_cast<__m256i>(sum >= kPrime ? sum - kPrime : sum);
}

void multiply(std::int64_t depth, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* tile) {
  __m256i low[kRows][kVectors];
  __m256i high[kRows][kVectors];
  __m256i middle[kRows][kVectors];
  multiply_plane(depth, a, b, low);
  multiply_plane(depth, a + kRows * depth, b + kColumns * depth, high);
  multiply_plane(depth, a + 2 * kRows * depth, b + 2 * kColumns * depth, middle);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(tile + i * kColumns + j * kLanes), reduce(low[i][j], middle[i][j], high[i][j]));
    }
  }
}

}  // namespace

const Kernel kAvx2Kernel{kRows, kColumns, Packing::limbs, multiply};

}  // namespace equinorm::scalar::prime_field
