// Number formats by name: fp16, bf16, fp32, fp64 and real:BITS.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace equinorm::scalar {

enum class FormatKind : std::uint8_t { fp16, bf16, fp32, fp64, real };

/// A number format. `real` is binary floating point of `precision` bits with an exponent range that never binds.
struct Format {
  FormatKind kind = FormatKind::fp32;
  int precision = 24;  ///< significand bits, the hidden one included

  friend bool operator==(const Format&, const Format&) = default;
};

inline constexpr Format kFp16{FormatKind::fp16, 11};
inline constexpr Format kBf16{FormatKind::bf16, 8};
inline constexpr Format kFp32{FormatKind::fp32, 24};
inline constexpr Format kFp64{FormatKind::fp64, 53};

/// Smallest and largest precision accepted for real:BITS.
inline constexpr int kMinRealBits = 8;
inline constexpr int kMaxRealBits = 65536;

/// Exponent range of an IEEE-style format; all values are exact in binary64 except for fp64's own subnormals.
struct FormatLimits {
  int min_exponent;  ///< smallest normal number is 2^min_exponent
  int max_exponent;  ///< largest number is (2 - 2^(1-precision)) 2^max_exponent
  double smallest_normal;
  double smallest_subnormal;
  double largest;
};

/// Limits of fp16, bf16, fp32 or fp64. Throws Error for real:BITS, which has none.
FormatLimits limits(Format format);

/// "fp16", "bf16", "fp32", "fp64" or "real:BITS". Throws Error naming what is allowed.
Format parse_format(std::string_view text);
std::string to_string(Format format);

}  // namespace equinorm::scalar
