// Correct rounding of single numbers: to 16-bit patterns, to a format held in a wider carrier, and of one operation.
#pragma once

#include <cstdint>

#include "scalar/format.hpp"
#include "scalar/lanes.hpp"

namespace equinorm::scalar {

/// Bit pattern of the nearest fp16 (bf16), ties to even, subnormals included; overflow gives infinity. A NaN keeps its sign and leading
/// payload bits and becomes quiet. From double it is one rounding.
std::uint16_t fp16_bits(float x);
std::uint16_t fp16_bits(double x);
std::uint16_t bf16_bits(float x);
std::uint16_t bf16_bits(double x);

/// The number that a bit pattern stands for, exactly; a NaN becomes quiet.
float fp16_value(std::uint16_t bits);
float bf16_value(std::uint16_t bits);

[[noreturn]] void refuse_rounding(Format format, const char* carrier);

/// x rounded to nearest-even into `format`, held in the carrier. `ftz` then replaces a result below the format's smallest normal by a zero
/// of its sign. Throws Error for real:BITS, and for fp64 in a float.
inline double round_to(Format format, double x, bool ftz = false) {
  using L = Lanes<double, 1>;
  switch (format.kind) {
    case FormatKind::fp16:
      x = round_by_integers<L, FormatKind::fp16, true>(x);
      return ftz ? flush_subnormal<L, FormatKind::fp16>(x) : x;
    case FormatKind::bf16:
      x = round_by_integers<L, FormatKind::bf16, true>(x);
      return ftz ? flush_subnormal<L, FormatKind::bf16>(x) : x;
    case FormatKind::fp32:
      x = static_cast<double>(static_cast<float>(x));
      return ftz ? flush_subnormal<L, FormatKind::fp32>(x) : x;
    case FormatKind::fp64:
      return ftz ? flush_subnormal<L, FormatKind::fp64>(x) : x;
    case FormatKind::real:
      break;
  }
  refuse_rounding(format, "double");
}
inline float round_to(Format format, float x, bool ftz = false) {
  using L = Lanes<float, 1>;
  switch (format.kind) {
    case FormatKind::fp16:
      x = round_by_integers<L, FormatKind::fp16, true>(x);
      return ftz ? flush_subnormal<L, FormatKind::fp16>(x) : x;
    case FormatKind::bf16:
      x = round_by_integers<L, FormatKind::bf16, true>(x);
      return ftz ? flush_subnormal<L, FormatKind::bf16>(x) : x;
    case FormatKind::fp32:
      return ftz ? flush_subnormal<L, FormatKind::fp32>(x) : x;
    case FormatKind::fp64:
    case FormatKind::real:
      break;
  }
  refuse_rounding(format, "float");
}

/// round_to of x[0..count), in place, on the instruction set of simd_level().
void round_block(Format format, bool ftz, float* x, std::int64_t count);
void round_block(Format format, bool ftz, double* x, std::int64_t count);

/// a + b, a b and a b + c, exact and then rounded once as by round_to, for any operands. The carriers and throws are those of round_to.
double rounded_add(Format format, double a, double b, bool ftz = false);
double rounded_multiply(Format format, double a, double b, bool ftz = false);
double rounded_fma(Format format, double a, double b, double c, bool ftz = false);
float rounded_add(Format format, float a, float b, bool ftz = false);
float rounded_multiply(Format format, float a, float b, bool ftz = false);
float rounded_fma(Format format, float a, float b, float c, bool ftz = false);

}  // namespace equinorm::scalar
