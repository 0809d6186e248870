// One block of a matrix unit in integers, for any operands.
#include "scalar/tensor_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "scalar/error.hpp"
#include "scalar/rounding.hpp"
#include "scalar/tensor_core_formats.hpp"

namespace equinorm::scalar {
namespace {

enum class Class : std::uint8_t { finite, infinite, nan };

/// A number (-1)^negative significand 2^(exponent - fraction bits of its format).
struct Number {
  Class kind;
  bool negative;
  std::int64_t significand;
  int exponent;
};

[[noreturn]] void refuse(float x, const TensorFormat& format) {
  throw Error(fmt::format("tensor core: the operand {} is no number of the format {}", x, format.name));
}

Number decode(float x, const TensorFormat& format) {
  constexpr std::int64_t kFraction = 0x7fffff;
  auto bits = std::bit_cast<std::uint32_t>(x);
  if (format.drops_bits) bits &= kTf32Bits;
  x = std::bit_cast<float>(bits);
  const bool negative = bits >> 31 != 0;
  const auto biased = static_cast<int>(bits >> 23 & 0xff);
  const std::int64_t fraction = bits & kFraction;
  if (biased == 0xff) {
    if (fraction == 0 && !format.has_infinity) refuse(x, format);
    return {fraction == 0 ? Class::infinite : Class::nan, negative, 0, 0};
  }
  const std::int64_t significand = biased == 0 ? fraction : (fraction | (kFraction + 1));
  if (significand == 0) return {Class::finite, negative, 0, 0};
  const int own = std::max(biased, 1) - 127;
  const int exponent = std::max(own, format.min_exponent);
  const int dropped = std::min(23 - format.fraction + exponent - own, 62);
  const std::int64_t kept = significand >> dropped;
  if (kept << dropped != significand || std::fabs(x) > format.largest) refuse(x, format);
  return {Class::finite, negative, kept, exponent};
}

/// One addend: (-1)^negative significand 2^(exponent - fraction).
struct Addend {
  bool negative;
  std::int64_t significand;
  int exponent, fraction;
};

float canonical_nan(TensorRounding rounding) { return std::bit_cast<float>(rounding == TensorRounding::fp16 ? 0x7fffe000u : 0x7fffffffu); }

/// rho(sum 2^unit), sum != 0.
float round_out(std::int64_t sum, int unit, TensorRounding rounding) {
  const TensorFormat& format = output_format(rounding);
  const bool negative = sum < 0;
  const auto size = static_cast<std::uint64_t>(negative ? -sum : sum);
  const int leading = static_cast<int>(std::bit_width(size)) - 1 + unit;
  const int exponent = std::max(leading, format.min_exponent);
  const int dropped = exponent - format.fraction - unit;
  std::uint64_t kept = size;
  if (dropped <= 0) {
    kept = size << -dropped;  // the significand then has fraction + 1 bits at most
  } else {
    kept = dropped >= 64 ? 0 : size >> dropped;
    if (rounding == TensorRounding::fp16 && dropped < 64) {
      const std::uint64_t rest = size - (kept << dropped);
      const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
      if (rest > half || (rest == half && kept % 2 == 1)) ++kept;
    }
  }
  const double value = std::ldexp(static_cast<double>(kept), exponent - format.fraction);
  const double result = value > format.largest ? HUGE_VAL : value;
  return static_cast<float>(negative ? -result : result);
}

/// The cut sum of the addends, and rho.
float align_and_add(const TensorCore& unit, std::span<const Addend> addends) {
  int peak = std::numeric_limits<int>::min();
  bool all_negative_zeros = true;
  for (const Addend& x : addends) {
    peak = std::max(peak, x.significand == 0 ? unit.zero_exponent : x.exponent);
    all_negative_zeros = all_negative_zeros && x.significand == 0 && x.negative;
  }
  std::int64_t sum = 0;
  for (const Addend& x : addends) {
    const int shift = unit.fraction - x.fraction - (peak - x.exponent);
    const std::int64_t cut = shift >= 0 ? x.significand << std::min(shift, 62) : x.significand >> std::min(-shift, 63);
    if (x.significand != 0) sum += x.negative ? -cut : cut;
  }
  if (sum == 0) return all_negative_zeros ? -0.0f : 0.0f;
  return round_out(sum, peak - unit.fraction, unit.rounding);
}

float fused_block(const TensorCore& unit, float c, std::span<const float> a, std::span<const float> b) {
  const TensorFormat& input = input_format(unit.input);
  const TensorFormat& accumulator = unit.rounding == TensorRounding::fp16 ? output_format(TensorRounding::fp16) : kFp32Accumulator;
  std::array<Addend, kLargestTensorBlock + 1> addends;
  bool nan = false, infinite[2] = {false, false};
  const auto special = [&](Class kind, bool negative) {
    nan = nan || kind == Class::nan;
    if (kind == Class::infinite) infinite[negative ? 1 : 0] = true;
  };
  const Number start = decode(c, accumulator);
  special(start.kind, start.negative);
  addends[0] = {start.negative, start.significand, start.exponent, accumulator.fraction};
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Number x = decode(a[k], input), y = decode(b[k], input);
    const bool negative = x.negative != y.negative;
    const bool zero = (x.kind == Class::finite && x.significand == 0) || (y.kind == Class::finite && y.significand == 0);
    const Class kind = std::max(x.kind, y.kind);
    special(kind == Class::infinite && zero ? Class::nan : kind, negative);
    addends[k + 1] = {negative, x.significand * y.significand, x.exponent + y.exponent, 2 * input.fraction};
  }
  if (nan || (infinite[0] && infinite[1])) return canonical_nan(unit.rounding);
  if (infinite[0] || infinite[1]) return infinite[1] ? -HUGE_VALF : HUGE_VALF;
  std::size_t used = a.size() + 1;
  if (a.size() < static_cast<std::size_t>(unit.block)) addends[used++] = {false, 0, 0, 0};  // stands for all missing products
  return align_and_add(unit, std::span(addends).first(used));
}

float halves_block(const TensorCore& unit, float c, std::span<const float> a, std::span<const float> b) {
  const TensorCore inner = inner_unit(unit);
  const TensorFormat& input = input_format(unit.input);
  std::array<float, kLargestTensorBlock> left{}, right{};
  const std::size_t half = static_cast<std::size_t>(inner.block);
  for (std::size_t k = 0; k < a.size(); ++k) {
    decode(a[k], input), decode(b[k], input);
    const std::size_t place = (k / 2 % 2) * half + k / 4 * 2 + k % 2;
    left[place] = a[k];
    right[place] = b[k];
  }
  const std::span<const float> x(left), y(right);
  float d = fused_block(inner, 0, x.first(half), y.first(half));
  d = fused_block(inner, d, x.subspan(half, half), y.subspan(half, half));
  const bool fp16 = unit.rounding == TensorRounding::fp16;
  decode(c, fp16 ? output_format(unit.rounding) : kFp32Accumulator);
  d = rounded_add(fp16 ? kFp16 : kFp32, d, c);
  return std::isnan(d) ? canonical_nan(unit.rounding) : d;
}

}  // namespace

float tensor_core_block(const TensorCore& unit, float c, std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.size() > static_cast<std::size_t>(unit.block)) {
    throw Error("tensor core: a block of " + std::to_string(a.size()) + " times " + std::to_string(b.size()) +
                " factors; allowed are two equal numbers up to " + std::to_string(unit.block));
  }
  return unit.halves ? halves_block(unit, c, a, b) : fused_block(unit, c, a, b);
}

float tensor_core_dot(const TensorCore& unit, float c, std::int64_t n, const float* a, std::int64_t a_stride, const float* b,
                      std::int64_t b_stride) {
  std::array<float, kLargestTensorBlock> left, right;
  for (std::int64_t begin = 0; begin < n; begin += unit.block) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(unit.block, n - begin));
    for (std::size_t k = 0; k < count; ++k) {
      left[k] = a[(begin + static_cast<std::int64_t>(k)) * a_stride];
      right[k] = b[(begin + static_cast<std::int64_t>(k)) * b_stride];
    }
    c = tensor_core_block(unit, c, std::span(left).first(count), std::span(right).first(count));
  }
  return c;
}

}  // namespace equinorm::scalar
