// The processor's integer matrix unit (AMX: 16 x 16 tiles of 32-bit sums of 8-bit products), where there is one: about 60 times the rate of
// binary64 fused multiply-adds, and exact. What it computes, a product of integers, is what the tile kernel computes, so no bit changes.
#pragma once

#include <cstdint>
#include <vector>

#include "oracle/kernels.hpp"

namespace equinorm::oracle {

/// Integers x = sum_d digit_d 256^d, -128 <= digit_d < 128, laid out for the unit. As right-hand sides (tokens): [kBlock / 16][depth / 64]
/// [count][16 rows of 4 k][16 tokens][4]; as left-hand sides (columns): [columns / 16][depth / 64][count][16 columns][64 k]. Depth is
/// padded by zeros to a multiple of 64, columns to one of 16.
using Digits = std::vector<std::int8_t>;

inline constexpr int kColumnDigits = 3, kMaxRowDigits = 4;
/// Largest integers of that many digits.
inline constexpr double kThreeDigits = 0x7f7f7f, kFourDigits = 0x7f7f7f7f;
/// At most 3 products of digits go to one 32-bit sum for each element of the depth: 3 * 2^14 * 2^15 < 2^31.
inline constexpr Index kMaxUnitDepth = 1 << 15;

struct MatrixUnit {
  /// Digits of x[m][t] / unit[t], integers of at most `count` digits.
  void (*split_tokens)(Index depth, int count, const double* x, const double* unit, Digits& digits);
  /// out[j * kBlock + t] = unit[t] column_unit[j] sum_m rows[m][t] columns[m][j] for j below `columns` rounded up to 16 (column_unit and
  /// out have as many). Exact where every sum of integers is at most 2^52.
  void (*multiply)(Index depth, Index columns, const Digits& column_digits, const double* column_unit, int row_digits, const Digits& digits,
                   const double* unit, double* out);
};

/// Digits of x[j * stride + m] / unit[j], integers of at most kColumnDigits digits.
Digits split_columns(Index depth, Index columns, const double* x, Index stride, const double* unit);

/// Null where the processor or the system has none, simd_level() is below avx512, or a WithoutMatrixUnit lives.
const MatrixUnit* matrix_unit();

/// For tests: while it lives, every thread does without.
class WithoutMatrixUnit {
 public:
  WithoutMatrixUnit();
  ~WithoutMatrixUnit();
  WithoutMatrixUnit(const WithoutMatrixUnit&) = delete;
  WithoutMatrixUnit& operator=(const WithoutMatrixUnit&) = delete;
};

/// The unit's code; to be called only where the processor has one.
extern const MatrixUnit kAmx;

}  // namespace equinorm::oracle
