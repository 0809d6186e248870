#include "inputs/rope_tables.hpp"

#include <mpfr.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <random>

namespace equinorm::inputs {
namespace {

constexpr mpfr_prec_t kPrecision = 500;

/// cos or sin of position * theta^(-2i/n) * numerator/denominator, rounded to float straight from 500 bits.
float reference(const char* theta, Index n, Index pair, const scalar::Rational& factor, Index position, bool sine) {
  mpfr_t base, exponent, angle;
  mpfr_inits2(kPrecision, base, exponent, angle, static_cast<mpfr_ptr>(nullptr));
  mpfr_set_str(base, theta, 10, MPFR_RNDN);
  mpfr_set_si(exponent, -2 * pair, MPFR_RNDN);
  mpfr_div_si(exponent, exponent, n, MPFR_RNDN);
  mpfr_pow(angle, base, exponent, MPFR_RNDN);
  mpfr_mul_si(angle, angle, position, MPFR_RNDN);
  mpfr_mul_q(angle, angle, factor.backend().data(), MPFR_RNDN);
  sine ? mpfr_sin(angle, angle, MPFR_RNDN) : mpfr_cos(angle, angle, MPFR_RNDN);
  const float value = mpfr_get_flt(angle, MPFR_RNDN);
  mpfr_clears(base, exponent, angle, static_cast<mpfr_ptr>(nullptr));
  return value;
}

problem::Rope yarn(const char* theta, const char* factor, const char* fast, const char* slow) {
  problem::Rope rope;
  rope.theta = scalar::Decimal(theta);
  rope.scaling = problem::RopeScaling{
      problem::RopeScaling::Type::yarn, scalar::Decimal(factor), scalar::Decimal(fast), scalar::Decimal(slow), scalar::Decimal("1"), 4096};
  return rope;
}

/// The formula of Hugging Face transformers, in doubles.
double hugging_face_factor(double theta, double factor, double fast, double slow, double n, double pair) {
  const auto dim = [&](double rotations) { return n * std::log(4096 / (rotations * 2 * std::numbers::pi)) / (2 * std::log(theta)); };
  const double low = std::max(std::floor(dim(fast)), 0.0);
  double high = std::min(std::ceil(dim(slow)), n - 1);
  if (low == high) high += 0.001;
  const double ramp = std::min(std::max((pair - low) / (high - low), 0.0), 1.0);
  return 1 / factor * ramp + (1 - ramp);
}

void check_against_reference(const problem::Rope& rope, const char* theta, Index n, Index rows, int samples) {
  const RopeTables tables = rope_tables(rope, n, rows);
  REQUIRE(tables.cos.shape() == tensor::Shape{rows, n / 2});
  REQUIRE(tables.sin.shape() == tensor::Shape{rows, n / 2});
  const auto check = [&](Index position, Index pair) {
    CAPTURE(theta, n, position, pair);
    const scalar::Rational factor = frequency_factor(rope, n, pair);
    REQUIRE(tables.cos.row(position)[pair] == reference(theta, n, pair, factor, position, false));
    REQUIRE(tables.sin.row(position)[pair] == reference(theta, n, pair, factor, position, true));
  };
  for (Index position = 0; position < std::min<Index>(rows, 40); ++position) {
    for (Index pair = 0; pair < n / 2; ++pair) check(position, pair);
  }
  std::mt19937_64 random(12345);
  for (int i = 0; i < samples; ++i)
    check(static_cast<Index>(random() % static_cast<std::uint64_t>(rows)), static_cast<Index>(random() % (n / 2)));
}

TEST_CASE("RoPE tables are the floats nearest to the exact values") {
  problem::Rope plain;
  check_against_reference(plain, "10000.0", 64, 70000, 4000);
  plain.theta = scalar::Decimal("1e7");
  check_against_reference(plain, "1e7", 256, 3000, 1000);
  plain.theta = scalar::Decimal("1.5");
  check_against_reference(plain, "1.5", 6, 1000, 500);
  plain.theta = scalar::Decimal("1e300");  // angles far below the fixed-point grid
  check_against_reference(plain, "1e300", 8, 50, 100);
  plain.theta = scalar::Decimal("0.01");  // frequencies above one turn per position
  check_against_reference(plain, "0.01", 8, 1000, 500);
  plain.theta = scalar::Decimal("1e6");
  plain.scaling = problem::RopeScaling{problem::RopeScaling::Type::linear, scalar::Decimal("8"), {}, {}, {}, 0};
  check_against_reference(plain, "1e6", 128, 3000, 1000);
  check_against_reference(yarn("10000.0", "40", "32", "1"), "10000.0", 64, 20000, 2000);
  check_against_reference(yarn("50000", "32", "1", "1"), "50000", 64, 20000, 1000);
}

TEST_CASE("hard cases near a rounding boundary are decided exactly") {
  // One pair with period n: among many positions some lie within 2^-46 of a tie, where the double path gives up. All of them are compared.
  problem::Rope rope;
  rope.theta = scalar::Decimal("1");
  const Index rows = 60000;
  const RopeTables tables = rope_tables(rope, 2, rows);
  for (Index position = 0; position < rows; ++position) {
    CAPTURE(position);
    REQUIRE(tables.cos[position] == reference("1", 2, 0, 1, position, false));
    REQUIRE(tables.sin[position] == reference("1", 2, 0, 1, position, true));
  }
}

TEST_CASE("frequency factors follow Hugging Face") {
  struct Case {
    const char *theta, *factor, *fast, *slow;
    Index n;
  };
  for (const Case& c : {Case{"10000", "40", "32", "1", 64}, Case{"50000", "32", "1", "1", 64}, Case{"1e6", "4", "32", "1", 128},
                        Case{"10000", "40", "5000", "0.001", 64}, Case{"10000", "40", "0.0001", "0.0001", 64}}) {
    const problem::Rope rope = yarn(c.theta, c.factor, c.fast, c.slow);
    for (Index pair = 0; pair < c.n / 2; ++pair) {
      CAPTURE(c.theta, pair);
      const double expected = hugging_face_factor(std::stod(c.theta), std::stod(c.factor), std::stod(c.fast), std::stod(c.slow),
                                                  static_cast<double>(c.n), static_cast<double>(pair));
      REQUIRE(frequency_factor(rope, c.n, pair).convert_to<double>() == Approx(expected).epsilon(1e-12));
    }
  }
  // DeepSeek-V3: low 10, high 23.
  const problem::Rope deepseek = yarn("10000", "40", "32", "1");
  CHECK(frequency_factor(deepseek, 64, 10) == 1);
  CHECK(frequency_factor(deepseek, 64, 11) == scalar::Rational(1) / 13 / 40 + scalar::Rational(12) / 13);
  CHECK(frequency_factor(deepseek, 64, 23) == scalar::Rational(1) / 40);
}

TEST_CASE("impossible tables are refused") {
  problem::Rope rope;
  CHECK_THROWS_AS(rope_tables(rope, 3, 4), Error);
  CHECK_THROWS_AS(rope_tables(rope, 0, 4), Error);
  CHECK_THROWS_AS(rope_tables(rope, 4, 0), Error);
  rope.theta = scalar::Decimal("1e-300");
  CHECK_THROWS_WITH(rope_tables(rope, 8, 4), Catch::Matchers::Contains("2^64"));
  rope.theta = scalar::Decimal("-2");
  CHECK_THROWS_WITH(rope_tables(rope, 4, 4), Catch::Matchers::Contains("rope.theta is -2"));
  CHECK_THROWS_WITH(rope_tables(yarn("1", "40", "32", "1"), 4, 4), Catch::Matchers::Contains("theta"));
}

}  // namespace
}  // namespace equinorm::inputs
