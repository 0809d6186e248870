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

void split_tokens(Index depth, int count, const double* x, const double* unit, Digits& digits) {
  const Index steps = (depth + 63) / 64;
  digits.resize(static_cast<std::size_t>(kBlock / kTile * steps * count * kTileBytes));
  double inverse[kBlock];
  for (Index t = 0; t < kBlock; ++t) inverse[t] = 1 / unit[t];
  for (Index begin = 0; begin < kBlock; begin += kTile) {
    for (Index m = 0; m < steps * 64; m += 4) {
      std::int8_t* target = digits.data() + (begin / kTile * steps + m / 64) * count * kTileBytes + m % 64 / 4 * 64;
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

// The intrinsics take tile numbers as literals. From 0 on: sums of equal weight; 6: columns; 7, and with three digits 5: tokens.
#define EQUINORM_COLUMNS(digit) _tile_loadd(6, a + (digit)*kTileBytes, 64)
#define EQUINORM_TOKENS(tile, digit) _tile_loadd(tile, b + (digit)*kTileBytes, 64)

/// One step of 64 elements; tokens of three digits stay in tiles from one column digit to the next.
EQUINORM_ORACLE_INLINE void step_three(const std::int8_t* a, const std::int8_t* b) {
  EQUINORM_COLUMNS(0);
  EQUINORM_TOKENS(7, 0);
  _tile_dpbssd(0, 6, 7);
  EQUINORM_TOKENS(5, 1);
  _tile_dpbssd(1, 6, 5);
  EQUINORM_TOKENS(7, 2);
  _tile_dpbssd(2, 6, 7);
  EQUINORM_COLUMNS(1);
  _tile_dpbssd(3, 6, 7);
  _tile_dpbssd(2, 6, 5);
  EQUINORM_TOKENS(7, 0);
  _tile_dpbssd(1, 6, 7);
  EQUINORM_COLUMNS(2);
  _tile_dpbssd(2, 6, 7);
  _tile_dpbssd(3, 6, 5);
  EQUINORM_TOKENS(7, 2);
  _tile_dpbssd(4, 6, 7);
}

EQUINORM_ORACLE_INLINE void step_four(const std::int8_t* a, const std::int8_t* b) {
  EQUINORM_COLUMNS(0);
  EQUINORM_TOKENS(7, 0);
  _tile_dpbssd(0, 6, 7);
  EQUINORM_TOKENS(7, 1);
  _tile_dpbssd(1, 6, 7);
  EQUINORM_TOKENS(7, 2);
  _tile_dpbssd(2, 6, 7);
  EQUINORM_TOKENS(7, 3);
  _tile_dpbssd(3, 6, 7);
  EQUINORM_COLUMNS(1);
  _tile_dpbssd(4, 6, 7);
  EQUINORM_TOKENS(7, 2);
  _tile_dpbssd(3, 6, 7);
  EQUINORM_TOKENS(7, 1);
  _tile_dpbssd(2, 6, 7);
  EQUINORM_TOKENS(7, 0);
  _tile_dpbssd(1, 6, 7);
  EQUINORM_COLUMNS(2);
  _tile_dpbssd(2, 6, 7);
  EQUINORM_TOKENS(7, 1);
  _tile_dpbssd(3, 6, 7);
  EQUINORM_TOKENS(7, 2);
  _tile_dpbssd(4, 6, 7);
  EQUINORM_TOKENS(7, 3);
  _tile_dpbssd(5, 6, 7);
}

template <int kRowDigits>
void sum_tiles(Index steps, const std::int8_t* a, const std::int8_t* b, std::int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  if constexpr (kRowDigits == 4) _tile_zero(5);
  for (Index k = 0; k < steps; ++k, a += kColumnDigits * kTileBytes, b += kRowDigits * kTileBytes) {
    kRowDigits == 3 ? step_three(a, b) : step_four(a, b);
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + 256, 64);
  _tile_stored(2, sums + 512, 64);
  _tile_stored(3, sums + 768, 64);
  _tile_stored(4, sums + 1024, 64);
  if constexpr (kRowDigits == 4) _tile_stored(5, sums + 1280, 64);
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

template <int kRowDigits>
void multiply_digits(Index depth, Index columns, const std::int8_t* column_digits, const double* column_unit, const std::int8_t* digits,
                     const double* unit, double* out) {
  const Index steps = (depth + 63) / 64;
  alignas(64) std::int32_t sums[6 * 256];
  const Tiles tiles;
  for (Index t = 0; t < kBlock; t += kTile) {
    for (Index j = 0; j < columns; j += kTile) {
      sum_tiles<kRowDigits>(steps, column_digits + j / kTile * steps * kColumnDigits * kTileBytes,
                            digits + t / kTile * steps * kRowDigits * kTileBytes, sums);
      join_sums<kColumnDigits + kRowDigits - 1>(sums, column_unit + j, unit + t, out + j * kBlock + t);
    }
  }
}

void multiply(Index depth, Index columns, const Digits& column_digits, const double* column_unit, int row_digits, const Digits& digits,
              const double* unit, double* out) {
  if (row_digits == 3) {
    multiply_digits<3>(depth, columns, column_digits.data(), column_unit, digits.data(), unit, out);
  } else {
    multiply_digits<4>(depth, columns, column_digits.data(), column_unit, digits.data(), unit, out);
  }
}

}  // namespace

const MatrixUnit kAmx = {split_tokens, multiply};

}  // namespace equinorm::oracle
