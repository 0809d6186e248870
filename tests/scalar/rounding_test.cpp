#include "scalar/rounding.hpp"

#include <Eigen/Core>
#include <catch2/catch.hpp>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/rounding_oracle.hpp"
#include "scalar/simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace equinorm;
using namespace equinorm::scalar;
using oracle::levels;
using oracle::same;

namespace {

constexpr std::uint64_t kSeed = 20240611;

#if defined(__x86_64__)
bool have_f16c() { return __builtin_cpu_supports("f16c") != 0; }
__attribute__((target("avx,f16c"))) std::uint16_t hardware_fp16_bits(float x) {
  return static_cast<std::uint16_t>(_mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT), 0));
}
__attribute__((target("avx,f16c"))) float hardware_fp16_value(std::uint16_t bits) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
#else
bool have_f16c() { return false; }
std::uint16_t hardware_fp16_bits(float) { return 0; }
float hardware_fp16_value(std::uint16_t) { return 0; }
#endif

/// Second opinion of MPFR: its own subnormal and overflow handling instead of the hand-made one of the oracle.
double subnormalized(Format format, double x) {
  const FormatLimits range = limits(format);
  const mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
  mpfr_set_emin(range.min_exponent - format.precision + 2);
  mpfr_set_emax(range.max_exponent + 1);
  mpfr_t v;
  mpfr_init2(v, format.precision);
  const int ternary = mpfr_set_d(v, x, MPFR_RNDN);
  mpfr_subnormalize(v, ternary, MPFR_RNDN);
  const double r = mpfr_get_d(v, MPFR_RNDN);
  mpfr_clear(v);
  mpfr_set_emin(emin);
  mpfr_set_emax(emax);
  return r;
}

/// The number that a pattern means, from its three fields.
double decoded(Format format, std::uint32_t bits) {
  const int mantissa_bits = format.precision - 1;
  const FormatLimits range = limits(format);
  const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const std::uint32_t exponent = (bits & 0x7fff) >> mantissa_bits;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (0x7fffu >> mantissa_bits)) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  if (exponent == 0) return sign * std::ldexp(mantissa, range.min_exponent - mantissa_bits);
  return sign * std::ldexp(mantissa + (1u << mantissa_bits), static_cast<int>(exponent) - 1 + range.min_exponent - mantissa_bits);
}

std::uint16_t pattern_of(Format format, float x) { return format == kFp16 ? fp16_bits(x) : bf16_bits(x); }
std::uint16_t pattern_of(Format format, double x) { return format == kFp16 ? fp16_bits(x) : bf16_bits(x); }
float value_of(Format format, std::uint16_t bits) { return format == kFp16 ? fp16_value(bits) : bf16_value(bits); }
float eigen_value(Format format, std::uint16_t bits) {
  return format == kFp16 ? static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits))
                         : static_cast<float>(Eigen::numext::bit_cast<Eigen::bfloat16>(bits));
}
float eigen_rounded(Format format, float x) {
  return format == kFp16 ? static_cast<float>(static_cast<Eigen::half>(x)) : static_cast<float>(static_cast<Eigen::bfloat16>(x));
}

/// The midpoint of every two neighbours of a 16-bit format (the edge to infinity included), and what is just beside it in T.
template <class T>
std::vector<T> ties(Format format) {
  std::vector<T> all;
  const std::uint32_t infinity = format == kFp16 ? 0x7c00 : 0x7f80;
  for (std::uint32_t bits = 0; bits < infinity; ++bits) {
    const double low = decoded(format, bits);
    const double high = bits + 1 == infinity ? std::ldexp(1.0, limits(format).max_exponent + 1) : decoded(format, bits + 1);
    const T tie = static_cast<T>(low / 2 + high / 2);
    for (const T x : {tie, std::nextafter(tie, T{0}), std::nextafter(tie, std::numeric_limits<T>::infinity())}) {
      all.push_back(x);
      all.push_back(-x);
    }
  }
  return all;
}

template <class T>
T random_number(oracle::Corners& corners) {
  static const std::vector<Format> formats{kFp16, kBf16, kFp32};
  switch (corners.below(4)) {
    case 0:
      return static_cast<T>(corners.value(formats[static_cast<std::size_t>(corners.below(3))], true));
    case 1: {  // beside a value of a format or a tie of it
      const Format format = formats[static_cast<std::size_t>(corners.below(3))];
      const double x = corners.value(format, true) * (1 + std::ldexp(static_cast<double>(corners.below(3)), -format.precision - 1));
      return std::nextafter(static_cast<T>(x), static_cast<T>(corners.sign() * HUGE_VAL));
    }
    case 2:
      return static_cast<T>(std::ldexp(corners.significand(kFp64), static_cast<int>(corners.below(300)) - 160) * corners.sign());
    default: {
      if constexpr (sizeof(T) == 4)
        return std::bit_cast<float>(static_cast<std::uint32_t>(corners.bits()));
      else
        return std::bit_cast<double>(corners.bits());
    }
  }
}

}  // namespace

TEST_CASE("every 16-bit pattern means the right number and comes back") {
  for (const Format format : {kFp16, kBf16}) {
    CAPTURE(to_string(format));
    for (std::uint32_t p = 0; p < 65536; ++p) {
      const auto bits = static_cast<std::uint16_t>(p);
      const float value = value_of(format, bits);
      const bool nan = std::isnan(decoded(format, p));
      const std::uint32_t quiet = nan ? 1u << (format.precision - 2) : 0u;
      const bool right = same(value, decoded(format, p)) && same(value, eigen_value(format, bits)) &&
                         pattern_of(format, value) == (p | quiet) && pattern_of(format, static_cast<double>(value)) == (p | quiet) &&
                         std::signbit(value) == ((p & 0x8000) != 0);
      if (!right) FAIL("pattern " << p << " value " << value);
    }
  }
}

TEST_CASE("fp16 patterns agree with F16C") {
  if (!have_f16c()) return;
  for (std::uint32_t p = 0; p < 65536; ++p) {
    const auto bits = static_cast<std::uint16_t>(p);
    const float value = hardware_fp16_value(bits);
    if (std::bit_cast<std::uint32_t>(fp16_value(bits)) != std::bit_cast<std::uint32_t>(value)) FAIL("value of pattern " << p);
    if (fp16_bits(value) != hardware_fp16_bits(value)) FAIL("pattern of " << value);
  }
  oracle::Corners corners(kSeed);
  std::vector<float> numbers = ties<float>(kFp16);
  for (int i = 0; i < 500000; ++i) numbers.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(corners.bits())));
  for (int i = 0; i < 500000; ++i)
    numbers.push_back(static_cast<float>(std::ldexp(corners.significand(kFp32), static_cast<int>(corners.below(48)) - 28)));
  for (const float x : numbers) {
    if (fp16_bits(x) != hardware_fp16_bits(x)) FAIL("pattern of " << x);
  }
}

TEST_CASE("ties of the 16-bit formats and their neighbours round right, from float and from double") {
  for (const Format format : {kFp16, kBf16}) {
    CAPTURE(to_string(format));
    for (const float x : ties<float>(format)) {
      const float r = round_to(format, x);
      const bool right =
          same(r, subnormalized(format, x)) && same(r, eigen_rounded(format, x)) && same(value_of(format, pattern_of(format, x)), r);
      if (!right) FAIL("float " << x << " gave " << r);
    }
    for (const double x : ties<double>(format)) {
      const double r = round_to(format, x);
      if (!same(r, subnormalized(format, x)) || !same(value_of(format, pattern_of(format, x)), r)) FAIL("double " << x << " gave " << r);
    }
  }
}

TEST_CASE("round_to agrees with MPFR on random numbers and corners") {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed);
  for (const Format format : {kFp16, kBf16, kFp32, kFp64}) {
    CAPTURE(to_string(format));
    for (int i = 0; i < 50000; ++i) {
      const double x = random_number<double>(corners);
      if (!same(oracle::round(format, x), subnormalized(format, x))) FAIL("the two oracles differ at " << x);
      for (const bool ftz : {false, true}) {
        if (!same(round_to(format, x, ftz), oracle::round(format, x, ftz))) FAIL("double " << x << " ftz " << ftz);
      }
      if (format == kFp64) continue;
      const float f = random_number<float>(corners);
      for (const bool ftz : {false, true}) {
        if (!same(round_to(format, f, ftz), oracle::round(format, f, ftz))) FAIL("float " << f << " ftz " << ftz);
      }
    }
  }
}

TEST_CASE("ftz flushes what rounds below the smallest normal, and keeps the sign") {
  CHECK(same(round_to(kFp16, -0x1p-15, true), -0.0));
  CHECK(same(round_to(kFp16, 0x1.ff8p-15, true), 0.0));
  CHECK(same(round_to(kFp16, 0x1.ffffp-15, true), 0x1p-14));
  CHECK(same(round_to(kBf16, -0x1p-127f, true), -0.0));
  CHECK(same(round_to(kFp32, 0x1p-127f, true), 0.0));
  CHECK(same(round_to(kFp64, 0x1p-1023, true), 0.0));
  CHECK(same(round_to(kFp64, 0x1p-1023, false), 0x1p-1023));
}

TEMPLATE_TEST_CASE("round_block is round_to on every SIMD level", "", float, double) {
  oracle::Corners corners(kSeed + 1);
  std::vector<TestType> numbers(10007);
  for (TestType& x : numbers) x = random_number<TestType>(corners);
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    for (const Format format : {kFp16, kBf16, kFp32, kFp64}) {
      if (sizeof(TestType) == 4 && format == kFp64) continue;
      for (const bool ftz : {false, true}) {
        CAPTURE(to_string(level), to_string(format), ftz);
        std::vector<TestType> rounded = numbers;
        const std::size_t count = rounded.size() - 1;
        round_block(format, ftz, rounded.data(), static_cast<std::int64_t>(count));
        std::size_t different = 0;
        for (std::size_t i = 0; i < count; ++i) different += !same(rounded[i], round_to(format, numbers[i], ftz));
        CHECK(different == 0);
        CHECK(same(rounded[count], numbers[count]));
      }
    }
  }
}

TEST_CASE("rounding refuses formats that the carrier cannot hold") {
  float f = 1;
  double d = 1;
  CHECK_THROWS_AS(round_to(kFp64, f), Error);
  CHECK_THROWS_AS(round_to(parse_format("real:24"), d), Error);
  CHECK_THROWS_AS(round_block(kFp64, false, &f, 1), Error);
  CHECK_THROWS_AS(round_block(parse_format("real:24"), false, &d, 1), Error);
  CHECK_THROWS_AS(rounded_fma(kFp64, f, f, f), Error);
}

TEMPLATE_TEST_CASE("single operations agree with MPFR for any operands", "", float, double) {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed + 2);
  for (const Format format : {kFp16, kBf16, kFp32, kFp64}) {
    if (sizeof(TestType) == 4 && format == kFp64) continue;
    CAPTURE(to_string(format));
    for (int i = 0; i < 30000; ++i) {
      const auto number = [&] {
        return corners.below(2) == 0 ? random_number<TestType>(corners) : static_cast<TestType>(corners.value(format, true));
      };
      const TestType a = number(), b = number();
      TestType c = number();
      const double exact_product = static_cast<double>(a) * b;
      if (i % 3 == 1) c = static_cast<TestType>(-exact_product);
      if (i % 3 == 2)
        c = static_cast<TestType>(exact_product *
                                  std::ldexp(corners.sign() * corners.significand(format), static_cast<int>(corners.below(120)) - 20));
      const bool ftz = (i & 1) != 0;
      if (!same(rounded_add(format, a, c, ftz), oracle::add(format, a, c, ftz))) FAIL(a << " + " << c);
      if (!same(rounded_multiply(format, a, b, ftz), oracle::multiply(format, a, b, ftz))) FAIL(a << " * " << b);
      if (!same(rounded_fma(format, a, b, c, ftz), oracle::fma(format, a, b, c, ftz))) FAIL(std::hexfloat << a << " * " << b << " + " << c);
    }
  }
}
