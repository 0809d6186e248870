// What the per-instruction-set files tensor_core_*.cpp offer to tensor_core_matmul.cpp. Internal to this room.
#pragma once

#include <cstdint>

#include "scalar/tensor_core.hpp"

namespace equinorm::scalar {

/// One tile of a matrix product on a unit with 16-bit or tf32 factors: `rows` rows times `width` columns. Every operand is finite and comes
/// with 2^(its exponent), 0 for a zero.
struct TensorTile {
  const double* const* rows;  ///< left factors of each row, contiguous in k
  const double* const* row_powers;
  const double* panel;  ///< right factors: depth rows of `width` columns
  const double* panel_powers;
  std::int64_t depth;
  int block;                ///< L
  double scale;             ///< 2^F
  double zero_power;        ///< 2^zero_exponent
  double smallest;          ///< smallest normal number of c and d
  TensorRounding rounding;  ///< fp32 or fp16
  double* out;              ///< rows x width, contiguous: c, then d
};

/// `run` gives false, and leaves nothing useful in `out`, if on the way some c or d was not finite or some c was -0: then the sign of a
/// zero is not what the lanes compute.
struct TensorKernels {
  int rows, width;
  bool (*run)(const TensorTile& tile);
};

#define EQUINORM_DECLARE_TENSOR_CORE(LEVEL)                                                             \
  namespace LEVEL {                                                                                     \
  TensorKernels tensor_kernels();                                                                       \
  /* The formats fp16, bf16 and tf32 that hold all of x[0..count): bits 1, 2 and 4 stay in the mask. */ \
  unsigned formats_holding(unsigned mask, const float* x, std::int64_t count);                          \
  }
EQUINORM_DECLARE_TENSOR_CORE(tensor_core_portable)
EQUINORM_DECLARE_TENSOR_CORE(tensor_core_avx2)
EQUINORM_DECLARE_TENSOR_CORE(tensor_core_avx512)
#undef EQUINORM_DECLARE_TENSOR_CORE

}  // namespace equinorm::scalar
