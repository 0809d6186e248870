#include "scalar/rounding.hpp"

#include <bit>
#include <cmath>

#include "scalar/emulated_kernels.hpp"
#include "scalar/error.hpp"
#include "scalar/odd.hpp"

namespace equinorm::scalar {
namespace {

/// Pattern of an fp16 value held in a float. A subnormal plus 1/2 shows its multiple of 2^-24 in the last bits.
std::uint16_t encode_fp16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  if (magnitude >= 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7c00u | ((magnitude >> 13) & 0x3ffu));
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const std::uint32_t normal = (magnitude >> 13) - (112u << 10);
  return static_cast<std::uint16_t>(sign | (magnitude < 0x38800000u ? subnormal : normal));
}

std::uint16_t encode_bf16(float value) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16); }

template <class T>
void round_any_block(Format format, bool ftz, T* x, std::int64_t count) {
  round_to(format, T{}, ftz);  // throws for a format that the carrier cannot hold
  emulated_kernels<T>(format.kind, {.fused = false, .ftz = ftz, .exact = true}).round_block(x, count);
}

}  // namespace

void refuse_rounding(Format format, const char* carrier) {
  throw Error("cannot round to " + to_string(format) + " in a " + carrier + "; allowed are fp16, bf16, fp32 and, in a double, fp64");
}

std::uint16_t fp16_bits(float x) { return encode_fp16(round_to(kFp16, x)); }
std::uint16_t fp16_bits(double x) { return encode_fp16(static_cast<float>(round_to(kFp16, x))); }
std::uint16_t bf16_bits(float x) { return encode_bf16(round_to(kBf16, x)); }
std::uint16_t bf16_bits(double x) { return encode_bf16(static_cast<float>(round_to(kBf16, x))); }

float fp16_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  if (magnitude > 0x7c00u) return std::bit_cast<float>(sign | 0x7fc00000u | (magnitude << 13));
  if (magnitude == 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u);
  // Scaling by 2^112 moves fp16's exponent range onto fp32's, subnormals included.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
}

float bf16_value(std::uint16_t bits) {
  const std::uint32_t quiet = (bits & 0x7fffu) > 0x7f80u ? 0x400000u : 0u;
  return std::bit_cast<float>((static_cast<std::uint32_t>(bits) << 16) | quiet);
}

void round_block(Format format, bool ftz, float* x, std::int64_t count) { round_any_block(format, ftz, x, count); }
void round_block(Format format, bool ftz, double* x, std::int64_t count) { round_any_block(format, ftz, x, count); }

double rounded_add(Format format, double a, double b, bool ftz) {
  return round_to(format, format.kind == FormatKind::fp64 ? a + b : odd_add(a, b), ftz);
}
double rounded_multiply(Format format, double a, double b, bool ftz) {
  return round_to(format, format.kind == FormatKind::fp64 ? a * b : odd_multiply(a, b), ftz);
}
double rounded_fma(Format format, double a, double b, double c, bool ftz) {
  return round_to(format, format.kind == FormatKind::fp64 ? std::fma(a, b, c) : odd_fma(a, b, c), ftz);
}

// A product of two floats is exact in a double, and its sum with a third float rounds to odd there.
float rounded_add(Format format, float a, float b, bool ftz) {
  if (format.kind == FormatKind::fp64) refuse_rounding(format, "float");
  return static_cast<float>(round_to(format, odd_add(a, b), ftz));
}
float rounded_multiply(Format format, float a, float b, bool ftz) {
  if (format.kind == FormatKind::fp64) refuse_rounding(format, "float");
  return static_cast<float>(round_to(format, static_cast<double>(a) * b, ftz));
}
float rounded_fma(Format format, float a, float b, float c, bool ftz) {
  if (format.kind == FormatKind::fp64) refuse_rounding(format, "float");
  return static_cast<float>(round_to(format, odd_add(static_cast<double>(a) * b, c), ftz));
}

}  // namespace equinorm::scalar
