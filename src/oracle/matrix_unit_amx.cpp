// g++ 12 takes the undefined operand inside its own intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstring>

#include "oracle/matrix_unit.hpp"

namespace equinorm::oracle {
namespace {

constexpr Index kTile = 16, kTileBytes = 1024;

/// Eight tiles of 16 rows of 64 bytes, for this thread while it lives.
class Tiles {
 public:
  Tiles() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

void split_tokens(Index depth, const double* x, Digits& digits) {
  const Index steps = (depth + 63) / 64;
  const int count = digits.count;
  digits.bytes.resize(static_cast<std::size_t>(kBlock / kTile * steps * count * kTileBytes));
  double inverse[kBlock];
  for (Index t = 0; t < kBlock; ++t) inverse[t] = 1 / digits.unit[static_cast<std::size_t>(t)];
  for (Index begin = 0; begin < kBlock; begin += kTile) {
    for (Index m = 0; m < steps * 64; m += 4) {
      std::int8_t* target = digits.bytes.data() + (begin / kTile * steps + m / 64) * count * kTileBytes + m % 64 / 4 * 64;
      __m512i value[4];
      for (Index k = 0; k < 4; ++k) {
        value[k] = _mm512_setzero_si512();
        if (m + k >= depth) continue;
        const double* row = x + (m + k) * kBlock + begin;
        const __m256i low = _mm512_cvtpd_epi32(_mm512_mul_pd(_mm512_loadu_pd(row), _mm512_loadu_pd(inverse + begin)));
        const __m256i high = _mm512_cvtpd_epi32(_mm512_mul_pd(_mm512_loadu_pd(row + 8), _mm512_loadu_pd(inverse + begin + 8)));
        value[k] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
      }
      for (int d = 0; d < count; ++d) {
        __m512i packed = _mm512_setzero_si512();
        for (Index k = 0; k < 4; ++k) {
          const __m512i byte = _mm512_and_si512(value[k], _mm512_set1_epi32(255));
          packed = _mm512_or_si512(packed, _mm512_slli_epi32(byte, static_cast<unsigned>(8 * k)));
          // (value - digit) / 256 with the digit in [-128, 128): round half up.
          value[k] = _mm512_srai_epi32(_mm512_add_epi32(value[k], _mm512_set1_epi32(128)), 8);
        }
        _mm512_storeu_si512(target + d * kTileBytes, packed);
      }
    }
  }
}

// The intrinsics take tile numbers as literals. Tiles from 0 on: sums of equal weight; 6: columns; 7, and for three digits 5: tokens.

template <int kSum>
EQUINORM_ORACLE_INLINE void add_product() {
  if constexpr (kSum == 0) _tile_dpbssd(0, 6, 7);
  if constexpr (kSum == 1) _tile_dpbssd(1, 6, 7);
  if constexpr (kSum == 2) _tile_dpbssd(2, 6, 7);
  if constexpr (kSum == 3) _tile_dpbssd(3, 6, 7);
  if constexpr (kSum == 4) _tile_dpbssd(4, 6, 7);
  if constexpr (kSum == 5) _tile_dpbssd(5, 6, 7);
}

/// Token digits kDigit, kDigit + 1, ... times the column digit in tile 6, whose weight is kColumnDigit.
template <int kColumnDigit, int kDigit, int kTokenDigits>
EQUINORM_ORACLE_INLINE void multiply_tokens(const std::int8_t* tokens) {
  if constexpr (kDigit < kTokenDigits) {
    _tile_loadd(7, tokens + kDigit * kTileBytes, 64);
    add_product<kColumnDigit + kDigit>();
    multiply_tokens<kColumnDigit, kDigit + 1, kTokenDigits>(tokens);
  }
}

/// One step of 64 elements.
template <int kColumnDigits, int kTokenDigits, int kColumnDigit = 0>
EQUINORM_ORACLE_INLINE void multiply_step(const std::int8_t* columns, const std::int8_t* tokens) {
  if constexpr (kColumnDigit < kColumnDigits) {
    _tile_loadd(6, columns + kColumnDigit * kTileBytes, 64);
    multiply_tokens<kColumnDigit, 0, kTokenDigits>(tokens);
    multiply_step<kColumnDigits, kTokenDigits, kColumnDigit + 1>(columns, tokens);
  }
}

/// The common case, with fewer loads: token digits stay in tiles from one column digit to the next.
EQUINORM_ORACLE_INLINE void multiply_three_by_three(const std::int8_t* columns, const std::int8_t* tokens) {
  _tile_loadd(6, columns, 64);
  _tile_loadd(7, tokens, 64);
  _tile_dpbssd(0, 6, 7);
  _tile_loadd(5, tokens + kTileBytes, 64);
  _tile_dpbssd(1, 6, 5);
  _tile_loadd(7, tokens + 2 * kTileBytes, 64);
  _tile_dpbssd(2, 6, 7);
  _tile_loadd(6, columns + kTileBytes, 64);
  _tile_dpbssd(3, 6, 7);
  _tile_dpbssd(2, 6, 5);
  _tile_loadd(7, tokens, 64);
  _tile_dpbssd(1, 6, 7);
  _tile_loadd(6, columns + 2 * kTileBytes, 64);
  _tile_dpbssd(2, 6, 7);
  _tile_dpbssd(3, 6, 5);
  _tile_loadd(7, tokens + 2 * kTileBytes, 64);
  _tile_dpbssd(4, 6, 7);
}

template <int kColumnDigits, int kTokenDigits>
void sum_tiles(Index steps, const std::int8_t* columns, const std::int8_t* tokens, std::int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (Index k = 0; k < steps; ++k, columns += kColumnDigits * kTileBytes, tokens += kTokenDigits * kTileBytes) {
    if constexpr (kColumnDigits == 3 && kTokenDigits == 3) {
      multiply_three_by_three(columns, tokens);
    } else {
      multiply_step<kColumnDigits, kTokenDigits>(columns, tokens);
    }
  }
  constexpr int kSums = kColumnDigits + kTokenDigits - 1;
  _tile_stored(0, sums, 64);
  if constexpr (kSums > 1) _tile_stored(1, sums + 256, 64);
  if constexpr (kSums > 2) _tile_stored(2, sums + 512, 64);
  if constexpr (kSums > 3) _tile_stored(3, sums + 768, 64);
  if constexpr (kSums > 4) _tile_stored(4, sums + 1024, 64);
  if constexpr (kSums > 5) _tile_stored(5, sums + 1280, 64);
}

/// sum_s 256^s sums[s] by Horner, exact: a partial result S_s is the total less the sums below, over 256^s: at most 2^52 + 2^31.
template <int kSums>
void join_sums(const std::int32_t* sums, const double* column_unit, const double* unit, double* out) {
  const __m512d base = _mm512_set1_pd(256);
  for (Index t = 0; t < kTile; t += 8) {
    const __m512d units = _mm512_loadu_pd(unit + t);
    for (Index j = 0; j < kTile; ++j) {
      const auto load = [&](int s) {
        return _mm512_cvtepi32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + s * 256 + j * kTile + t)));
      };
      __m512d total = load(kSums - 1);
      for (int s = kSums - 2; s >= 0; --s) total = _mm512_fmadd_pd(total, base, load(s));
      total = _mm512_mul_pd(_mm512_mul_pd(total, units), _mm512_set1_pd(column_unit[j]));
      _mm512_storeu_pd(out + j * kBlock + t, total);
    }
  }
}

template <int kColumnDigits, int kTokenDigits>
void multiply_digits(Index depth, Index count, const Digits& columns, const Digits& tokens, double* out) {
  const Index steps = (depth + 63) / 64;
  alignas(64) std::int32_t sums[6 * 256];
  const Tiles tiles;
  for (Index t = 0; t < kBlock; t += kTile) {
    for (Index j = 0; j < count; j += kTile) {
      sum_tiles<kColumnDigits, kTokenDigits>(steps, columns.bytes.data() + j / kTile * steps * kColumnDigits * kTileBytes,
                                             tokens.bytes.data() + t / kTile * steps * kTokenDigits * kTileBytes, sums);
      join_sums<kColumnDigits + kTokenDigits - 1>(sums, columns.unit.data() + j, tokens.unit.data() + t, out + j * kBlock + t);
    }
  }
}

void multiply(Index depth, Index count, const Digits& columns, const Digits& tokens, double* out) {
  using Multiply = void (*)(Index, Index, const Digits&, const Digits&, double*);
  static constexpr Multiply kMultiply[kMaxColumnDigits][kMaxTokenDigits] = {
      {multiply_digits<1, 1>, multiply_digits<1, 2>, multiply_digits<1, 3>, multiply_digits<1, 4>},
      {multiply_digits<2, 1>, multiply_digits<2, 2>, multiply_digits<2, 3>, multiply_digits<2, 4>},
      {multiply_digits<3, 1>, multiply_digits<3, 2>, multiply_digits<3, 3>, multiply_digits<3, 4>}};
  kMultiply[columns.count - 1][tokens.count - 1](depth, count, columns, tokens, out);
}

}  // namespace

const MatrixUnit kAmx = {split_tokens, multiply};

}  // namespace equinorm::oracle
