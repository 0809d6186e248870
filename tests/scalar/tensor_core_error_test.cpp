// The error bound of tensor_core.hpp against exact sums.
#include <catch2/catch.hpp>

#include "scalar/tensor_core_oracle.hpp"

using namespace equinorm::scalar;
using namespace equinorm::scalar::tensor_oracle;

namespace {

constexpr std::uint64_t kSeed = 90007;
using Vector = std::vector<float>;

struct Dot {
  float c;
  Vector a, b;
};

/// |d - exact|, |c| + sum |a b|, and the argument of tensor_core_underflow.
struct Measured {
  Rational error, size;
  double largest_factor;

  /// error / (factor size + underflow)
  double share(double factor, double underflow) const {
    const Rational bound = Rational(factor) * size + Rational(underflow);
    return bound == 0 ? (error == 0 ? 0 : HUGE_VAL) : Rational(error / bound).convert_to<double>();
  }
};

Measured measure(const TensorCore& unit, const Dot& x) {
  const auto n = static_cast<std::int64_t>(x.a.size());
  const float d = tensor_core_dot(unit, x.c, n, x.a.data(), 1, x.b.data(), 1);
  Measured m{0, magnitude(Rational(x.c)), 0};
  REQUIRE(std::isfinite(d));
  Rational exact = x.c;
  bool subnormal = false;
  const double smallest_normal = std::ldexp(1.0, traits(unit.input).min_exponent);
  for (std::size_t k = 0; k < x.a.size(); ++k) {
    const Rational product = Rational(x.a[k]) * Rational(x.b[k]);
    exact += product;
    m.size += magnitude(product);
    for (const float factor : {x.a[k], x.b[k]}) {
      const double size = std::fabs(factor);
      subnormal = subnormal || (size != 0 && size < smallest_normal);
      m.largest_factor = std::max(m.largest_factor, size);
    }
  }
  if (!subnormal) m.largest_factor = 0;
  m.error = magnitude(exact - Rational(d));
  return m;
}

double share(const TensorCore& unit, const Dot& x) {
  const Measured m = measure(unit, x);
  const auto n = static_cast<std::int64_t>(x.a.size());
  return m.share(tensor_core_error_factor(unit, n), tensor_core_underflow(unit, n, m.largest_factor));
}

/// A number of the unit's factors just below 2^exponent.
float below_power(const TensorCore& unit, int exponent) {
  return static_cast<float>(std::ldexp(2 - std::ldexp(1.0, 1 - traits(unit.input).bits), exponent - 1));
}

/// Factors whose product is close below 2^exponent, split so that both are normal in every format.
void push_below(const TensorCore& unit, Dot& x, int exponent) {
  const int half = exponent / 2;
  x.a.push_back(below_power(unit, half));
  x.b.push_back(std::ldexp(1.0f, exponent - half));
}

Dot random_dot(const TensorCore& unit, int kind, Numbers& numbers) {
  const Traits in = traits(unit.input), out = traits(unit.rounding == TensorRounding::fp16 ? TensorRounding::fp16 : TensorRounding::fp32);
  const std::size_t n = 1 + numbers.below(static_cast<std::uint64_t>(4 * unit.block));
  const auto between = [&](int low, int high) { return low + static_cast<int>(numbers.below(static_cast<std::uint64_t>(high - low + 1))); };
  Dot x{0, {}, {}};
  for (std::size_t k = 0; k < n; ++k) {
    float a = numbers.near(in, between(-3, 3)), b = numbers.near(in, between(-3, 3));
    if (kind == 1 && k % 2 == 1) a = x.a[k - 1], b = -x.b[k - 1];  // cancels all but the rounding
    if (kind == 2) a = std::fabs(numbers.near(in, k % 2 == 0 ? 3 : -3)), b = std::fabs(numbers.near(in, k % 2 == 0 ? 2 : -3));
    if (kind == 3) a = std::fabs(numbers.near(in, between(-6, -4))), b = std::fabs(numbers.near(in, between(-6, -4)));
    if (kind == 4) a = numbers.near(in, in.min_exponent - between(0, in.bits)), b = numbers.near(in, between(-4, 4));  // subnormal
    if (kind == 5) a = numbers.near(in, in.min_exponent + between(-4, 4)), b = numbers.near(in, in.min_exponent + between(-4, 4));
    const int half = out.min_exponent / 2;
    if (kind == 6) a = numbers.near(in, half + between(-3, 3)), b = numbers.near(in, out.min_exponent - half + between(-3, 3));
    x.a.push_back(a);
    x.b.push_back(b);
  }
  if (kind == 0) x.c = numbers.near(out, between(-2, 4));
  if (kind == 6) x.c = numbers.near(out, out.min_exponent + between(-6, 3));
  if (kind == 3) x.c = std::fabs(numbers.near(out, between(-1, 6)));  // one big c over many small products
  return x;
}

/// c = 1 and `links` blocks of products just below the cut, each of them lost, but for as many just below two quanta (they lose one each)
/// as rho then cuts off as well: the result stays 1.
Dot worst_dot(const TensorCore& unit, int links) {
  const int kept = (1 << (unit.fraction - 23)) - 1;
  Dot x{1, {}, {}};
  for (int k = 0; k < links * unit.block; ++k) push_below(unit, x, -unit.fraction + (k % unit.block < kept ? 1 : 0));
  return x;
}

bool has_fp32_bits(const TensorCore& unit) { return unit.rounding == TensorRounding::fp32 && !unit.halves; }

}  // namespace

TEST_CASE("no error exceeds the bound: every unit, seven kinds of dots") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed);
  int violations = 0, compared = 0;
  double largest = 0;
  for (const TensorCore& unit : tensor_cores()) {
    for (int trial = 0; trial < 280; ++trial) {
      const double used = share(unit, random_dot(unit, trial % 7, numbers));
      ++compared;
      largest = std::max(largest, used);
      if (!(used <= 1)) ++violations;
    }
  }
  CAPTURE(compared, largest);
  CHECK(violations == 0);
  CHECK(largest > 0.5);
}

TEST_CASE("the bound is nearly attained, over one block and over a hundred") {
  for (const TensorCore& unit : tensor_cores()) {
    if (!has_fp32_bits(unit) || unit.input == TensorInput::e4m3 || unit.input == TensorInput::e5m2) continue;
    CAPTURE(unit.architecture, static_cast<int>(unit.input));
    for (const int links : {1, 100}) {
      const double used = share(unit, worst_dot(unit, links));
      CHECK(used <= 1);
      CHECK(used > 0.79);
      if (unit.fraction == 25 && unit.block == 16) CHECK(used > 0.94);
    }
  }
}

TEST_CASE("weaker factors are refuted") {
  const TensorCore& volta = tensor_core("sm_70", TensorInput::fp16, kFp32);
  const TensorCore& ampere = tensor_core("sm_80", TensorInput::fp16, kFp32);
  const TensorCore& hopper = tensor_core("sm_90", TensorInput::fp16, kFp32);
  const auto refuted = [](const TensorCore& unit, double factor) { return measure(unit, worst_dot(unit, 10)).share(factor, 0) > 1; };
  for (const TensorCore* unit : {&volta, &ampere, &hopper}) {
    const double terms = 10.0 * unit->block, cut = std::ldexp(1.0, -unit->fraction);
    CAPTURE(unit->architecture);
    CHECK(!refuted(*unit, tensor_core_error_factor(*unit, 10 * unit->block)));
    CHECK(refuted(*unit, 10 * 0x1p-23));                    // no alignment
    CHECK(refuted(*unit, 10 * 0x1p-23 + terms * cut / 2));  // rounding instead of cutting in the alignment
  }
  CHECK(refuted(hopper, 10 * 0x1p-24 + 160 * 0x1p-25));  // output to nearest
  // n u of fp32 sums to nearest is no bound for a unit
  CHECK(refuted(volta, 40 * 0x1p-24));
  CHECK(refuted(ampere, 80 * 0x1p-24));
}

TEST_CASE("the factor is below the compounded one of every addend and both roundings") {
  for (const TensorCore& unit : tensor_cores()) {
    if (unit.halves) continue;
    const double u = std::ldexp(1.0, -traits(unit.rounding).bits);
    for (const std::int64_t n : {1, 7, 16, 100, 4096, 1 << 20}) {
      const double blocks = std::ceil(static_cast<double>(n) / unit.block);
      const double one = std::log1p((unit.block + 1) * std::ldexp(1.0, -unit.fraction)) + std::log1p(2 * u);
      CAPTURE(unit.architecture, static_cast<int>(unit.input), static_cast<int>(unit.rounding), n);
      CHECK(tensor_core_error_factor(unit, n) <= std::expm1(blocks * one) * (1 + 0x1p-40));
    }
  }
}

TEST_CASE("a subnormal factor needs its own underflow term") {
  const TensorCore& unit = tensor_core("sm_90", TensorInput::fp16, kFp32);
  // 2^-24 has the exponent -14, so the other fifteen products, just below 2^-24, are lost beside 2^-24 2^15 = 2^-9.
  Dot x{0, {0x1p-24f}, {0x1p15f}};
  for (int k = 1; k < unit.block; ++k) push_below(unit, x, -24);
  const Measured m = measure(unit, x);
  CHECK(m.largest_factor == 0x1p15);
  const double factor = tensor_core_error_factor(unit, 16);
  CHECK(m.share(factor, tensor_core_underflow(unit, 16, 0)) > 500);
  CHECK(m.share(factor, 16 * 0x1p-126 * (1 + factor)) > 500);
  CHECK(m.share(factor, tensor_core_underflow(unit, 16, 0x1p15)) <= 1);
  CHECK(m.share(factor, tensor_core_underflow(unit, 16, 0x1p15)) > 0.8);
}

TEST_CASE("nothing added, nothing lost") {
  for (const TensorCore& unit : tensor_cores()) {
    CHECK(tensor_core_error_factor(unit, 0) == 0);
    CHECK(tensor_core_underflow(unit, 0, 1) == 0);
  }
  CHECK(tensor_core_error_factor(tensor_core("sm_90", TensorInput::bf16, kFp32), 512) ==
        Approx(32 * 0x1p-23 + 512 * 0x1p-25).epsilon(1e-12));
}
