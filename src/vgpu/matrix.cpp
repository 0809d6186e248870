#include "vgpu/matrix.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace equinorm::vgpu {
namespace {

struct Layout {
  int exponent_bits, fraction_bits;
  bool has_infinity;
};

Layout layout_of(MatrixInput input) {
  switch (input) {
    case MatrixInput::fp16:
      return {5, 10, true};
    case MatrixInput::bf16:
      return {8, 7, true};
    case MatrixInput::tf32:
      return {8, 10, true};
    case MatrixInput::e4m3:
      return {4, 3, false};
    case MatrixInput::e5m2:
      return {5, 2, true};
  }
  return {};
}

MatrixNumber decode_as(Layout layout, std::uint32_t bits) {
  const int bias = (1 << (layout.exponent_bits - 1)) - 1;
  const std::uint32_t fraction = bits & ((1u << layout.fraction_bits) - 1);
  const std::uint32_t exponent = bits >> layout.fraction_bits & ((1u << layout.exponent_bits) - 1);
  MatrixNumber number;
  number.negative = (bits >> (layout.exponent_bits + layout.fraction_bits) & 1) != 0;
  const bool is_last = exponent == (1u << layout.exponent_bits) - 1;
  if (layout.has_infinity && is_last) {
    number.kind = fraction == 0 ? MatrixNumber::Class::infinite : MatrixNumber::Class::nan;
  } else if (is_last && fraction == (1u << layout.fraction_bits) - 1) {
    number.kind = MatrixNumber::Class::nan;
  } else {
    number.significand = exponent == 0 ? fraction : fraction | 1u << layout.fraction_bits;
    number.exponent = std::max(static_cast<int>(exponent), 1) - bias;
  }
  return number;
}

constexpr Layout kFp32{8, 23, true};

Layout accumulator_of(MatrixOutput output) { return output == MatrixOutput::fp16_nearest ? Layout{5, 10, true} : kFp32; }

std::uint32_t special(MatrixOutput output, bool is_nan, bool negative) {
  if (output == MatrixOutput::fp16_nearest) return is_nan ? 0x7fffu : negative ? 0xfc00u : 0x7c00u;
  return is_nan ? 0x7fffffffu : negative ? 0xff800000u : 0x7f800000u;
}

struct Addend {
  bool negative;
  std::uint64_t significand;
  int fraction, exponent;
};

/// One block of at most model.terms products.
std::uint32_t add_block(const MatrixModel& model, MatrixInput input, std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                        std::uint32_t c) {
  const int fraction = fraction_of(input);
  const Layout accumulator = accumulator_of(model.output);
  bool is_nan = false, plus = false, minus = false, all_negative_zero = true;
  std::vector<Addend> addends;
  const auto add = [&](bool negative, std::uint64_t significand, int bits, int exponent) {
    addends.push_back({negative, significand, bits, significand == 0 ? model.zero_exponent : exponent});
    all_negative_zero &= negative && significand == 0;
  };
  const auto add_infinity = [&](bool negative) { (negative ? minus : plus) = true; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    const MatrixNumber x = decode(input, a[i]), y = decode(input, b[i]);
    using Class = MatrixNumber::Class;
    const bool zero_x = x.kind == Class::finite && x.significand == 0, zero_y = y.kind == Class::finite && y.significand == 0;
    if (x.kind == Class::nan || y.kind == Class::nan || (x.kind == Class::infinite && zero_y) || (y.kind == Class::infinite && zero_x))
      is_nan = true;
    else if (x.kind == Class::infinite || y.kind == Class::infinite)
      add_infinity(x.negative != y.negative);
    else
      add(x.negative != y.negative, static_cast<std::uint64_t>(x.significand) * y.significand, 2 * fraction, x.exponent + y.exponent);
  }
  for (std::size_t i = a.size(); i < static_cast<std::size_t>(model.terms); ++i) add(false, 0, 0, 0);
  const MatrixNumber start = decode_as(accumulator, c);
  if (start.kind == MatrixNumber::Class::nan)
    is_nan = true;
  else if (start.kind == MatrixNumber::Class::infinite)
    add_infinity(start.negative);
  else
    add(start.negative, start.significand, accumulator.fraction_bits, start.exponent);
  if (is_nan || plus || minus) return special(model.output, is_nan || (plus && minus), minus);

  int largest = addends[0].exponent;
  for (const Addend& x : addends) largest = std::max(largest, x.exponent);
  std::int64_t sum = 0;
  for (const Addend& x : addends) {
    const int shift = model.fraction_bits - x.fraction - (largest - x.exponent);
    const std::uint64_t cut = shift >= 0 ? x.significand << shift : shift <= -64 ? 0 : x.significand >> -shift;
    sum += x.negative ? -static_cast<std::int64_t>(cut) : static_cast<std::int64_t>(cut);
  }
  return round_output(model.output, sum, largest - model.fraction_bits, all_negative_zero);
}

}  // namespace

int fraction_of(MatrixInput input) { return layout_of(input).fraction_bits; }

MatrixNumber decode(MatrixInput input, std::uint32_t bits) {
  return decode_as(layout_of(input), input == MatrixInput::tf32 ? bits >> 13 : bits);
}

std::uint32_t round_output(MatrixOutput output, std::int64_t sum, int unit, bool all_negative_zero) {
  const bool is_fp16 = output == MatrixOutput::fp16_nearest;
  const int precision = is_fp16 ? 10 : output == MatrixOutput::fp32_toward_zero ? 23 : 13;
  const int smallest = is_fp16 ? -14 : -126, greatest = is_fp16 ? 15 : 127;
  const std::uint32_t sign = is_fp16 ? 0x8000u : 0x80000000u;
  if (sum == 0) return all_negative_zero ? sign : 0;
  const auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
  int exponent = std::max(static_cast<int>(std::bit_width(magnitude)) - 1 + unit, smallest);
  const int drop = exponent - precision - unit;
  std::uint64_t rounded = drop <= 0 ? magnitude << -drop : drop >= 64 ? 0 : magnitude >> drop;
  if (is_fp16 && drop > 0 && drop < 64) {
    const std::uint64_t rest = magnitude & ((std::uint64_t{1} << drop) - 1), half = std::uint64_t{1} << (drop - 1);
    rounded += rest > half || (rest == half && (rounded & 1) != 0);
  }
  if (rounded == std::uint64_t{2} << precision) rounded >>= 1, ++exponent;
  std::uint32_t bits = 0;
  if ((rounded >> precision) == 0)
    bits = static_cast<std::uint32_t>(rounded);  // subnormal
  else if (exponent > greatest)
    bits = (static_cast<std::uint32_t>(2 * greatest + 1)) << precision;
  else
    bits = static_cast<std::uint32_t>(exponent + greatest) << precision | (static_cast<std::uint32_t>(rounded) & ((1u << precision) - 1));
  if (output == MatrixOutput::e8m13_toward_zero) bits <<= 10;
  return sum < 0 ? bits | sign : bits;
}

MatrixModel matrix_model(int target, MatrixInput input, bool fp16_output) {
  const int extra = target >= 90 ? 2 : target >= 75 ? 1 : 0;
  const int block_bytes = target >= 90 ? 32 : target >= 75 ? 16 : 8;
  const bool is_fp8 = input == MatrixInput::e4m3 || input == MatrixInput::e5m2;
  const bool is_short = is_fp8 && target < 100;
  MatrixModel model;
  model.terms = block_bytes / (input == MatrixInput::tf32 ? 4 : is_fp8 ? 1 : 2);
  model.fraction_bits = is_short ? 13 : 23 + extra;
  model.output = fp16_output ? MatrixOutput::fp16_nearest : is_short ? MatrixOutput::e8m13_toward_zero : MatrixOutput::fp32_toward_zero;
  model.zero_exponent = (fp16_output ? -20 : -131) - extra;
  return model;
}

std::uint32_t fused_dot(const MatrixModel& model, MatrixInput input, std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                        std::uint32_t c) {
  const auto terms = static_cast<std::size_t>(model.terms);
  for (std::size_t at = 0; at < a.size(); at += terms) {
    const std::size_t count = std::min(terms, a.size() - at);
    c = add_block(model, input, a.subspan(at, count), b.subspan(at, count), c);
  }
  return c;
}

}  // namespace equinorm::vgpu
