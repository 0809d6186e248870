// What the per-instruction-set files emulated_*.cpp offer to emulated.cpp and rounding.cpp. Internal to this room.
#pragma once

#include <cstdint>

#include "scalar/format.hpp"

namespace equinorm::scalar {

/// SumOrder without its string.
enum class TileOrder : std::uint8_t { sequential, pairwise, blocked };

/// One tile of a matrix product: `rows` rows times `width` columns, see EmulatedKernels.
template <class T>
struct TileJob {
  const T* const* rows;     ///< first element of each row of the left operand
  std::int64_t row_step;    ///< elements between k and k + 1 in a row
  const T* panel;           ///< right operand: `width` columns of depth rows
  std::int64_t panel_step;  ///< elements between two rows of the panel
  std::int64_t depth;       ///< >= 1
  TileOrder order;
  std::int64_t block;  ///< `blocked` only
  bool add;            ///< `out` holds what the result is added to
  T* out;              ///< rows x width, contiguous
};

/// What decides between the arithmetic variants. `exact`: operands need not be values of the format, products may leave the carrier's
/// range, NaNs may be among the operands.
struct ArithmeticChoice {
  bool fused;
  bool ftz;
  bool exact;
};

/// What a pass over float operands found out.
struct OperandRange {
  bool representable = true;          ///< all are values of the format, none is a NaN
  float smallest = __builtin_inff();  ///< smallest magnitude that is not 0
  float largest = 0;                  ///< largest finite magnitude
};

template <class T>
struct EmulatedKernels {
  int block_rows, block_width;  ///< tile of `block`
  int strip_width;              ///< tile of `strip`, which has one row
  void (*block)(const TileJob<T>&);
  void (*strip)(const TileJob<T>&);
  void (*round_block)(T* x, std::int64_t count);
};

/// The kernels of simd_level() for a format that T can hold.
template <class T>
EmulatedKernels<T> emulated_kernels(FormatKind format, ArithmeticChoice choice);

#define EQUINORM_DECLARE_EMULATED(LEVEL)                                                          \
  namespace LEVEL {                                                                               \
  EmulatedKernels<float> float_kernels(FormatKind format, ArithmeticChoice choice);               \
  EmulatedKernels<double> double_kernels(FormatKind format, ArithmeticChoice choice);             \
  /* Widens `range` by x[0..count); the format is fp16 or bf16. */                                \
  void scan_operands(FormatKind format, const float* x, std::int64_t count, OperandRange& range); \
  }
EQUINORM_DECLARE_EMULATED(emulated_portable)
EQUINORM_DECLARE_EMULATED(emulated_avx2)
EQUINORM_DECLARE_EMULATED(emulated_avx512)
#undef EQUINORM_DECLARE_EMULATED

}  // namespace equinorm::scalar
