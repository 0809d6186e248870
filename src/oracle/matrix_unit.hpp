// The processor's integer matrix unit (AMX: 16 x 16 tiles of 32-bit sums of 8-bit products), where there is one: about 60 times the rate of
// binary64 fused multiply-adds, and exact. What it computes, a product of integers, is what the tile kernel computes, so no bit changes.
#pragma once

#include <cstdint>
#include <vector>

#include "oracle/kernels.hpp"

namespace equinorm::oracle {

/// Integers x = sum_d digit_d 256^d, -128 <= digit_d < 128, of a block of tokens or of a matrix's columns, each a multiple of its token's
/// or column's unit. Bytes as the unit wants them, tokens as right-hand sides [kBlock / 16][depth / 64][count][16 rows of 4 k][16
/// tokens][4], columns as left-hand sides [columns / 16][depth / 64][count][16 columns][64 k]; depth is padded by zeros to a multiple of
/// 64, columns to one of 16.
struct Digits {
  int count = 0;
  std::vector<std::int8_t> bytes;
  std::vector<double> unit;
};

inline constexpr int kMaxColumnDigits = 3, kMaxTokenDigits = 4;
/// Largest integer of that many digits: 0x7f, 0x7f7f, ...
constexpr double largest_integer(int digits) { return digits == 0 ? 0 : 256 * largest_integer(digits - 1) + 127; }
/// At most 3 products of digits go to one 32-bit sum for each element of the depth: 3 * 2^14 * 2^15 < 2^31.
inline constexpr Index kMaxUnitDepth = 1 << 15;

struct MatrixUnit {
  /// Digits of x[m][t] / unit[t]; fills `bytes` by `count` and `unit`.
  void (*split_tokens)(Index depth, const double* x, Digits& digits);
  /// out[j * kBlock + t] = sum_m tokens[m][t] columns[m][j] for j below `count` rounded up to 16. Exact where every sum of integers is at
  /// most 2^52.
  void (*multiply)(Index depth, Index count, const Digits& columns, const Digits& tokens, double* out);
};

/// As split_tokens, for columns x[j * stride + m]; `unit` rounded up to 16 elements.
void split_columns(Index depth, Index columns, const double* x, Index stride, Digits& digits);

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
