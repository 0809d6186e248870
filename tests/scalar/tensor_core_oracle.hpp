// One block of a matrix unit in rational numbers, written from the words of tensor_core.hpp alone, and operands for its tests.
#pragma once

#include <algorithm>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "scalar/simd.hpp"
#include "scalar/tensor_core.hpp"

namespace equinorm::scalar::tensor_oracle {

using Rational = boost::multiprecision::cpp_rational;
using Integer = boost::multiprecision::cpp_int;

inline Rational power_of_two(int exponent) {
  const Integer power = Integer(1) << std::abs(exponent);
  return exponent < 0 ? Rational(1, power) : Rational(power);
}
/// Towards zero.
inline Integer truncated(const Rational& x) { return numerator(x) / denominator(x); }
inline Rational magnitude(const Rational& x) { return x < 0 ? Rational(-x) : x; }

/// What there is to know of a format: significand bits (hidden one included), smallest normal exponent, largest number.
struct Traits {
  int bits, min_exponent;
  double largest;
  bool infinity;
};
inline Traits traits(TensorInput input) {
  switch (input) {
    case TensorInput::fp16:
      return {11, -14, 65504, true};
    case TensorInput::bf16:
      return {8, -126, 0x1.fep127, true};
    case TensorInput::tf32:
      return {11, -126, 0x1.ffcp127, true};
    case TensorInput::e4m3:
      return {4, -6, 448, false};
    case TensorInput::e5m2:
      return {3, -14, 57344, true};
  }
  return {};
}
inline Traits traits(TensorRounding rounding) {
  if (rounding == TensorRounding::fp16) return {11, -14, 65504, true};
  if (rounding == TensorRounding::e8m13) return {14, -126, 0x1.fff8p127, true};
  return {24, -126, 0x1.fffffep127, true};
}

/// The exponent that a unit reads from x != 0.
inline int exponent_of(float x, int min_exponent) { return std::max(std::ilogb(x), min_exponent); }

/// floor(log2 |x|), x != 0.
inline int floor_log2(const Rational& x) {
  const Rational size = magnitude(x);
  int e = static_cast<int>(msb(numerator(size))) - static_cast<int>(msb(denominator(size)));
  while (power_of_two(e) > size) --e;
  while (power_of_two(e + 1) <= size) ++e;
  return e;
}

/// x, not 0, rounded to `t`: to nearest-even, or towards zero with overflow where 2^128 is reached.
inline float rounded(const Rational& x, const Traits& t, bool to_nearest) {
  const int quantum = std::max(floor_log2(x), t.min_exponent) - (t.bits - 1);
  const Rational quanta = magnitude(x) / power_of_two(quantum);
  Integer count = truncated(quanta);
  const Rational rest = quanta - Rational(count);
  if (to_nearest && (rest > Rational(1, 2) || (rest == Rational(1, 2) && count % 2 == 1))) ++count;
  const double value = std::ldexp(count.convert_to<double>(), quantum);
  const double result = value > t.largest ? HUGE_VAL : value;
  return static_cast<float>(x < 0 ? -result : result);
}

inline float canonical_nan(TensorRounding rounding) {
  return std::bit_cast<float>(rounding == TensorRounding::fp16 ? 0x7fffe000u : 0x7fffffffu);
}

/// a.size() == L: missing products are zeros.
inline float fused(const TensorCore& unit, float c, const std::vector<float>& a, const std::vector<float>& b) {
  const Traits in = traits(unit.input);
  const Traits c_format = traits(unit.rounding == TensorRounding::fp16 ? TensorRounding::fp16 : TensorRounding::fp32);
  float special = c;  // sums of infinities and NaNs behave as IEEE's
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!std::isfinite(a[k]) || !std::isfinite(b[k])) special = (std::isfinite(special) ? 0 : special) + a[k] * b[k];
  }
  if (std::isnan(special)) return canonical_nan(unit.rounding);
  if (std::isinf(special)) return special;
  int peak = c == 0 ? unit.zero_exponent : exponent_of(c, c_format.min_exponent);
  bool negative_zeros = c == 0 && std::signbit(c);
  for (std::size_t k = 0; k < a.size(); ++k) {
    const bool zero = a[k] == 0 || b[k] == 0;
    peak = std::max(peak, zero ? unit.zero_exponent : exponent_of(a[k], in.min_exponent) + exponent_of(b[k], in.min_exponent));
    negative_zeros = negative_zeros && zero && std::signbit(a[k]) != std::signbit(b[k]);
  }
  const Rational quantum = power_of_two(peak - unit.fraction);
  Integer sum = truncated(Rational(c) / quantum);
  for (std::size_t k = 0; k < a.size(); ++k) sum += truncated(Rational(a[k]) * Rational(b[k]) / quantum);
  if (sum == 0) return negative_zeros ? -0.0f : 0.0f;
  return rounded(Rational(sum) * quantum, traits(unit.rounding), unit.rounding == TensorRounding::fp16);
}

inline float block(const TensorCore& unit, float c, std::vector<float> a, std::vector<float> b) {
  a.resize(static_cast<std::size_t>(unit.block));
  b.resize(static_cast<std::size_t>(unit.block));
  if (unit.input == TensorInput::tf32) {
    for (auto* operand : {&a, &b}) {
      for (float& x : *operand) x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffffe000u);
    }
  }
  if (!unit.halves) return fused(unit, c, a, b);
  TensorCore inner = unit;
  inner.input = TensorInput::fp16;
  inner.halves = false;
  inner.block = 16;
  float d = 0;
  for (const bool second : {false, true}) {
    std::vector<float> x, y;
    for (std::size_t k = 0; k < a.size(); ++k) {
      if ((k % 4 >= 2) != second) continue;
      x.push_back(a[k]);
      y.push_back(b[k]);
    }
    d = fused(inner, d, x, y);
  }
  if (!std::isfinite(c) || !std::isfinite(d)) return std::isnan(c + d) ? canonical_nan(unit.rounding) : c + d;
  const Rational total = Rational(c) + Rational(d);
  if (total == 0) return c + d;
  return rounded(total, traits(unit.rounding), true);
}

inline float dot(const TensorCore& unit, float c, const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t begin = 0; begin < a.size(); begin += static_cast<std::size_t>(unit.block)) {
    const std::size_t end = std::min(a.size(), begin + static_cast<std::size_t>(unit.block));
    const auto from = static_cast<std::ptrdiff_t>(begin), to = static_cast<std::ptrdiff_t>(end);
    c = block(unit, c, {a.begin() + from, a.begin() + to}, {b.begin() + from, b.begin() + to});
  }
  return c;
}

/// Numbers of a format: any pattern, or near a given size, or from its edges.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : bits_(seed) {}

  std::uint64_t below(std::uint64_t n) { return bits_() % n; }
  float sign() { return below(2) == 0 ? 1.0f : -1.0f; }

  /// Significand of the format's width times 2^exponent, rounded into the format, its ends included.
  float near(const Traits& t, int exponent) {
    const double significand = 1 + std::ldexp(static_cast<double>(below(std::uint64_t{1} << (t.bits - 1))), 1 - t.bits);
    const double size = std::ldexp(significand, exponent);
    if (size > t.largest) return sign() * static_cast<float>(t.largest);
    const int quantum = std::max(exponent, t.min_exponent) - t.bits + 1;
    return sign() * static_cast<float>(std::ldexp(std::trunc(std::ldexp(size, -quantum)), quantum));
  }
  float any(const Traits& t) {
    const int lowest = t.min_exponent - t.bits, highest = std::ilogb(t.largest);
    return near(t, lowest + static_cast<int>(below(static_cast<std::uint64_t>(highest - lowest + 1))));
  }
  float edge(const Traits& t, bool specials) {
    const double subnormal = std::ldexp(1.0, t.min_exponent - t.bits + 1), normal = std::ldexp(1.0, t.min_exponent);
    const double values[] = {0,
                             0,
                             subnormal,
                             normal - subnormal,
                             normal,
                             1,
                             2 - std::ldexp(1.0, 1 - t.bits),
                             t.largest,
                             t.largest / 2,
                             t.infinity ? HUGE_VAL : t.largest,
                             std::nan("")};
    return sign() * static_cast<float>(values[below(specials ? 11 : 9)]);
  }

 private:
  std::mt19937_64 bits_;
};

inline std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> all;
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (level <= detected_simd_level()) all.push_back(level);
  }
  return all;
}

}  // namespace equinorm::scalar::tensor_oracle
