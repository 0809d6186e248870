// 6 x 16 tile on the 52-bit multiply-add of AVX-512 IFMA.
//
// A product of two elements is below 2^100; vpmadd52luq adds its low 52 bits to one 64-bit sum and vpmadd52huq its upper part, below 2^48,
// to another. 4096 terms: low < 2^64, high < 2^60.
#include <immintrin.h>

#include "scalar/prime_field_body.hpp"

namespace equinorm::scalar::prime_field {
namespace {

constexpr int kRows = 6;
constexpr int kVectors = 2;
constexpr int kLanes = 8;
constexpr int kColumns = kVectors * kLanes;

using Lanes = unsigned long long __attribute__((vector_size(64)));
constexpr unsigned long long kPrime = (1ULL << 50) - 27;

/// Congruent to x and below 2^50 + 27 * 2^14.
inline Lanes fold(Lanes x) { return 27 * (x >> 50) + (x & ((1ULL << 50) - 1)); }

/// high 2^52 + low mod p; 2^52 = 108, and 108 fold(high) + fold(low) < 2^58.
inline __m512i reduce(__m512i high, __m512i low) {
  const Lanes sum = fold(108 * fold(reinterpret_cast<Lanes>(high)) + fold(reinterpret_cast<Lanes>(low)));
  return reinterpret_cast<__m512i>(sum >= kPrime ? sum - kPrime : sum);
}

void multiply(std::int64_t depth, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* tile) {
  __m512i low[kRows][kVectors];
  __m512i high[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) low[i][j] = high[i][j] = _mm512_setzero_si512();
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    __m512i right[kVectors];
    for (int j = 0; j < kVectors; ++j) right[j] = _mm512_load_si512(b + k * kColumns + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const __m512i left = _mm512_set1_epi64(static_cast<long long>(a[k * kRows + i]));
      for (int j = 0; j < kVectors; ++j) {
        low[i][j] = _mm512_madd52lo_epu64(low[i][j], left, right[j]);
        high[i][j] = _mm512_madd52hi_epu64(high[i][j], left, right[j]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) _mm512_store_si512(tile + i * kColumns + j * kLanes, reduce(high[i][j], low[i][j]));
  }
}

}  // namespace

const Kernel kAvx512Kernel{kRows, kColumns, Packing::words, multiply};

}  // namespace equinorm::scalar::prime_field
