// Number formats of matrix units' operands and results. Internal to this room.
#pragma once

#include <cstdint>

#include "scalar/tensor_core.hpp"

namespace equinorm::scalar {

inline constexpr int kLargestTensorBlock = 32;

/// What an fp32 word keeps in tf32.
inline constexpr std::uint32_t kTf32Bits = 0xffffe000;

struct TensorFormat {
  const char* name;
  int fraction;      ///< stored bits of the significand
  int min_exponent;  ///< of the smallest normal number, and of every subnormal one
  double largest;    ///< the format's largest finite number
  bool has_infinity = true;
  bool drops_bits = false;  ///< the low bits of an fp32 word are not read
};

inline constexpr TensorFormat kTensorInputs[] = {{"fp16", 10, -14, 65504.0},
                                                 {"bf16", 7, -126, 0x1.fep127},
                                                 {"tf32", 10, -126, 0x1.ffcp127, true, true},
                                                 {"e4m3", 3, -6, 448.0, false},
                                                 {"e5m2", 2, -14, 57344.0}};
inline constexpr TensorFormat kTensorOutputs[] = {
    {"fp32", 23, -126, 0x1.fffffep127}, {"e8m13", 13, -126, 0x1.fff8p127}, {"fp16", 10, -14, 65504.0}};
/// An e8m13 unit's c may be any fp32 number.
inline constexpr const TensorFormat& kFp32Accumulator = kTensorOutputs[0];

inline const TensorFormat& input_format(TensorInput input) { return kTensorInputs[static_cast<int>(input)]; }
inline const TensorFormat& output_format(TensorRounding rounding) { return kTensorOutputs[static_cast<int>(rounding)]; }

/// The 16-term fp16 unit that a unit with `halves` runs twice.
inline TensorCore inner_unit(TensorCore unit) {
  unit.input = TensorInput::fp16;
  unit.block /= 2;
  unit.halves = false;
  return unit;
}

}  // namespace equinorm::scalar
