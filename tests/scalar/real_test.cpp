#include "scalar/real.hpp"

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "scalar/error.hpp"

using namespace equinorm::scalar;
using equinorm::Error;

namespace {

namespace mp = boost::multiprecision;

/// The outside source: Boost's own binary floating point, correctly rounded in + - * / sqrt.
template <unsigned kBits>
using Bin = mp::number<mp::cpp_bin_float<kBits, mp::digit_base_2>, mp::et_off>;

/// significand * 2^exponent as a fraction.
Rational scaled(const std::string& significand, long exponent) {
  Rational result(significand);
  if (exponent >= 0) {
    mpq_mul_2exp(result.backend().data(), result.backend().data(), static_cast<unsigned long>(exponent));
  } else {
    mpq_div_2exp(result.backend().data(), result.backend().data(), static_cast<unsigned long>(-exponent));
  }
  return result;
}

template <unsigned kBits>
Rational fraction(const Bin<kBits>& x) {
  if (x == 0) return {0};
  mp::cpp_int significand(x.backend().bits());
  if (x < 0) significand = -significand;
  return scaled(significand.str(), static_cast<long>(x.backend().exponent()) - static_cast<long>(kBits) + 1);
}

/// The same random number of kBits bits in both arithmetics.
template <unsigned kBits>
struct Twin {
  Bin<kBits> bin;
  Real real;
};

template <unsigned kBits>
Twin<kBits> random_twin(std::mt19937_64& random, int exponent_range, bool positive) {
  mp::cpp_int significand = 0;
  for (unsigned i = 0; i < kBits; i += 32) significand = (significand << 32) | static_cast<std::uint32_t>(random());
  significand &= (mp::cpp_int(1) << kBits) - 1;
  // Short significands meet the ties that long ones never hit.
  if (random() % 4 == 0) significand >>= kBits / 2;
  significand |= 1;
  if (!positive && random() % 2) significand = -significand;
  const int exponent =
      static_cast<int>(random() % static_cast<unsigned>(2 * exponent_range + 1)) - exponent_range - static_cast<int>(kBits);
  return {ldexp(Bin<kBits>(significand), exponent), Real::from_rational(scaled(significand.str(), exponent), kBits)};
}

template <unsigned kBits>
void check_arithmetic() {
  const std::uint64_t seed = 1000 + kBits;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const Twin<kBits> x = random_twin<kBits>(random, 12, false);
    const Twin<kBits> y = random_twin<kBits>(random, 12, false);
    const Twin<kBits> z = random_twin<kBits>(random, 24, false);
    REQUIRE(to_rational(x.real) == fraction<kBits>(x.bin));
    REQUIRE(to_rational(add(x.real, y.real, kBits)) == fraction<kBits>(x.bin + y.bin));
    REQUIRE(to_rational(sub(x.real, y.real, kBits)) == fraction<kBits>(x.bin - y.bin));
    REQUIRE(to_rational(mul(x.real, y.real, kBits)) == fraction<kBits>(x.bin * y.bin));
    REQUIRE(to_rational(div(x.real, y.real, kBits)) == fraction<kBits>(x.bin / y.bin));
    REQUIRE(to_rational(neg(x.real, kBits)) == fraction<kBits>(-x.bin));
    REQUIRE(to_rational(sqrt(mul(x.real, x.real, 2 * kBits), kBits)) == fraction<kBits>(abs(x.bin)));
    if (x.bin > 0) REQUIRE(to_rational(sqrt(x.real, kBits)) == fraction<kBits>(sqrt(x.bin)));
    // Exact in 4 kBits + 50 bits, then rounded by the other library.
    using Wide = Bin<4 * kBits + 50>;
    REQUIRE(to_rational(fma(x.real, y.real, z.real, kBits)) == fraction<kBits>(Bin<kBits>(Wide(x.bin) * Wide(y.bin) + Wide(z.bin))));
    REQUIRE(compare(x.real, y.real) == (x.bin > y.bin) - (x.bin < y.bin));
    REQUIRE(to_double(x.real) == static_cast<double>(x.bin));
  }
}

template <unsigned kBits>
void check_functions() {
  const std::uint64_t seed = 2000 + kBits;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  using Wide = Bin<2 * kBits + 200>;
  for (int round = 0; round < 60; ++round) {
    const Twin<kBits> x = random_twin<kBits>(random, 5, false);
    const Twin<kBits> y = random_twin<kBits>(random, 40, true);
    INFO("x = " << x.bin << ", y = " << y.bin);
    const Wide wx(x.bin);
    const Wide wy(y.bin);
    const Wide e2 = exp(2 * wx);
    REQUIRE(to_rational(exp(x.real, kBits)) == fraction<kBits>(Bin<kBits>(exp(wx))));
    REQUIRE(to_rational(log(y.real, kBits)) == fraction<kBits>(Bin<kBits>(log(wy))));
    REQUIRE(to_rational(rsqrt(y.real, kBits)) == fraction<kBits>(Bin<kBits>(1 / sqrt(wy))));
    REQUIRE(to_rational(tanh(x.real, kBits)) == fraction<kBits>(Bin<kBits>((e2 - 1) / (e2 + 1))));
    REQUIRE(to_rational(sigmoid(x.real, kBits)) == fraction<kBits>(Bin<kBits>(1 / (1 + exp(-wx)))));
  }
}

}  // namespace

TEST_CASE("real arithmetic rounds as Boost's cpp_bin_float") {
  check_arithmetic<11>();
  check_arithmetic<24>();
  check_arithmetic<53>();
  check_arithmetic<113>();
  check_arithmetic<200>();
}

TEST_CASE("real functions round as Boost's cpp_bin_float with twice the bits") {
  check_functions<24>();
  check_functions<53>();
  check_functions<113>();
  check_functions<300>();
}

TEST_CASE("binary32 and binary64 arithmetic of the processor is the real arithmetic of 24 and 53 bits") {
  const std::uint64_t seed = 3;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 5000; ++round) {
    const double x = normal(random), y = normal(random), z = normal(random);
    const Real rx = Real::from_double(x, 53), ry = Real::from_double(y, 53), rz = Real::from_double(z, 53);
    REQUIRE(to_double(add(rx, ry, 53)) == x + y);
    REQUIRE(to_double(fma(rx, ry, rz, 53)) == std::fma(x, y, z));
    REQUIRE(to_double(div(rx, ry, 53)) == x / y);
    const auto fx = static_cast<float>(x), fy = static_cast<float>(y), fz = static_cast<float>(z);
    REQUIRE(to_double(Real::from_double(x, 24)) == static_cast<double>(fx));
    REQUIRE(to_double(fma(Real::from_double(x, 24), Real::from_double(y, 24), Real::from_double(z, 24), 24)) ==
            static_cast<double>(std::fma(fx, fy, fz)));
  }
}

TEST_CASE("a default real is zero and owns nothing; copies keep precision; moves empty their source") {
  Real zero;
  CHECK(zero.bits() == 0);
  CHECK(to_double(zero) == 0.0);
  CHECK_FALSE(std::signbit(to_double(zero)));
  CHECK(to_double(add(zero, Real::from_integer(3, 20), 53)) == 3.0);
  Real copy_of_zero(zero);
  CHECK(copy_of_zero.bits() == 0);

  Real x = Real::from_rational(Rational(1) / 3, 77);
  const Real copy(x);
  CHECK(copy.bits() == 77);
  CHECK(compare(copy, x) == 0);
  const Real moved(std::move(x));
  CHECK(moved.bits() == 77);
  CHECK(compare(copy, moved) == 0);
  Real target(200);
  target = copy;
  CHECK(target.bits() == 77);
  CHECK(compare(target, copy) == 0);
  Real& alias = target;
  target = alias;
  CHECK(compare(target, copy) == 0);
  target = zero;
  CHECK(target.bits() == 0);
  CHECK(to_double(target) == 0.0);
  CHECK_THROWS_AS(Real(0), Error);
  CHECK_THROWS_AS(add(copy, copy, -3), Error);
}

TEST_CASE("conversions") {
  CHECK(to_rational(Real::from_integer(std::numeric_limits<std::int64_t>::min(), 64)) ==
        Rational(std::numeric_limits<std::int64_t>::min()));
  CHECK(to_double(Real::from_integer((std::int64_t{1} << 53) + 1, 53)) == 9007199254740992.0);
  CHECK(to_double(Real::from_rational(Rational(1) / 3, 53)) == 1.0 / 3.0);
  CHECK(to_string(Real::from_rational(Rational(-1) / 3, 100), 5) == "-3.3333e-01");
  CHECK(to_string(Real::from_integer(1250, 53), 2) == "1.2e+03");
  CHECK(to_string(Real::from_double(std::nan(""), 53), 3) == "nan");
  CHECK(to_string(Real::from_double(-INFINITY, 53), 3) == "-inf");
  CHECK_THROWS_AS(to_string(Real(), 0), Error);
  CHECK_THROWS_AS(to_rational(Real::from_double(INFINITY, 53)), Error);
  CHECK_THROWS_AS(compare(Real::from_double(std::nan(""), 53), Real()), Error);
  CHECK(is_finite(Real()));
  CHECK_FALSE(is_finite(Real::from_double(INFINITY, 53)));
  CHECK_FALSE(is_finite(div(Real(), Real(), 53)));
  // Subnormal doubles: one rounding, not two.
  const Rational smallest = scaled("1", -1074);
  CHECK(to_double(smallest) == 4.9406564584124654e-324);
  CHECK(to_double(Rational(smallest / 2)) == 0.0);
  CHECK(to_double(Rational(smallest / 2 + smallest / Rational("1000000000000000000000000000000"))) == 4.9406564584124654e-324);
  CHECK(to_double(Rational(-smallest * 3 / 2)) == -2 * 4.9406564584124654e-324);
}

TEST_CASE("sigmoid at the ends of its range") {
  const auto at = [](double x, int bits) { return sigmoid(Real::from_double(x, 53), bits); };
  CHECK(to_double(at(0, 53)) == 0.5);
  CHECK(to_double(at(1e-30, 53)) == 0.5);
  CHECK(to_double(at(-1e-30, 53)) == 0.5);
  CHECK(to_double(at(1000, 53)) == 1.0);
  CHECK(to_double(at(1e12, 53)) == 1.0);
  CHECK(to_double(at(-1e12, 53)) == 0.0);
  CHECK(to_double(at(INFINITY, 53)) == 1.0);
  CHECK(to_double(at(-INFINITY, 53)) == 0.0);
  CHECK(std::isnan(to_double(at(std::nan(""), 53))));
  CHECK(to_double(at(-700, 53)) == to_double(exp(Real::from_double(-700, 53), 53)));
  // Just below 1: 1 - e^-36 has its nearest 53-bit neighbour below 1, 1 - e^-38 has not.
  CHECK(to_double(at(36, 53)) < 1.0);
  CHECK(to_double(at(38, 53)) == 1.0);
  Real tiny = Real::from_integer(1, 2);
  mpfr_div_2ui(tiny.writable(), tiny.get(), 1000000, MPFR_RNDN);
  CHECK(to_double(sigmoid(tiny, 113)) == 0.5);
}
