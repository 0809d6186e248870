// Pair operations and functions against Arb: the exact result must lie within the radius, and the radius must be small.
#include "oracle/functions.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <random>

#include "scalar/ball.hpp"

namespace equinorm::oracle {
namespace {

using scalar::Ball;

constexpr int kBits = 400;

Ball pair_ball(const Enclosed& x) { return scalar::add(Ball::from_double(x.hi), Ball::from_double(x.lo), kBits); }

/// Upper bound of |exact - (hi + lo)| as a double, from a ball of negligible radius.
double error_of(const Enclosed& got, const Ball& exact) {
  const scalar::Enclosure e = scalar::enclosure(scalar::sub(exact, pair_ball(got), kBits));
  return std::fabs(e.value) * (1 - 0x1p-40);
}

/// A normalised pair of random sign and exponent in [low, high].
Enclosed random_pair(std::mt19937_64& random, int low, int high) {
  const auto mantissa = [&] { return static_cast<double>(random() >> 11) * 0x1p-53 + 0.5; };
  const int exponent = low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
  const double hi = std::ldexp(random() % 2 ? mantissa() : -mantissa(), exponent);
  const double lo =
      random() % 8 == 0 ? 0.0 : std::ldexp(random() % 2 ? mantissa() : -mantissa(), exponent - 54 - static_cast<int>(random() % 8));
  double s, e;
  two_sum<One>(hi, lo, s, e);
  return {s, e, 0};
}

void check(const char* what, const Enclosed& got, const Ball& exact, double widest) {
  INFO(what << ": " << got.hi << " + " << got.lo << " radius " << got.radius);
  if (!(error_of(got, exact) <= got.radius)) FAIL_CHECK("outside");
  if (!(got.radius <= widest)) FAIL_CHECK("too wide: " << got.radius / widest);
}

TEST_CASE("pair operations contain the exact result") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    const Enclosed a = random_pair(random, -40, 40);
    Enclosed b = random_pair(random, -40, 40);
    if (i % 3 == 0) {  // cancellation
      two_sum<One>(-a.hi * (1 + 0x1p-50 * static_cast<double>(i % 5)), a.lo * 0.37, b.hi, b.lo);
    }
    const Ball x = pair_ball(a), y = pair_ball(b);
    const Enclosed sum = add<One>(a, b), product = mul<One>(a, b), by_number = mul<One>(a, b.hi), quotient = div<One>(a, b);
    check("add", sum, scalar::add(x, y, kBits), 0x1p-102 * std::fabs(sum.hi) + 0x1p-1000);
    check("mul", product, scalar::mul(x, y, kBits), 0x1p-102 * std::fabs(product.hi));
    check("mul by a number", by_number, scalar::mul(x, Ball::from_double(b.hi), kBits), 0x1p-102 * std::fabs(by_number.hi));
    check("div", quotient, scalar::div(x, y, kBits), 0x1p-99 * std::fabs(quotient.hi));
  }
}

TEST_CASE("radii of operands are carried") {
  std::mt19937_64 random(12);
  for (int i = 0; i < 1200; ++i) {
    Enclosed a = random_pair(random, -3, 3), b = random_pair(random, -3, 3);
    a.radius = std::ldexp(1.0, -20 - i % 40);
    b.radius = std::ldexp(1.0, -20 - i % 31);
    // The ends of both intervals.
    for (const double s : {-1.0, 1.0}) {
      for (const double t : {-1.0, 1.0}) {
        const Ball x = scalar::add(pair_ball(a), Ball::from_double(s * a.radius), kBits);
        const Ball y = scalar::add(pair_ball(b), Ball::from_double(t * b.radius), kBits);
        check("add", add<One>(a, b), scalar::add(x, y, kBits), 1);
        check("mul", mul<One>(a, b), scalar::mul(x, y, kBits), 1);
        check("div", div<One>(a, b), scalar::div(x, y, kBits), 1);
        const Enclosed e = exponential<One>(a).fraction;
        const Ball shifted = scalar::mul(scalar::exp(x, kBits), Ball::from_double(power_of_two(-exponential<One>(a).exponent)), kBits);
        check("exp", e, scalar::sub(shifted, Ball::from_double(1), kBits), 1);
        check("tanh", tanh(a), scalar::tanh(x, kBits), 1);
        check("sigmoid", sigmoid(a), scalar::sigmoid(x, kBits), 1);
        const Enclosed magnitude = a.hi < 0 ? neg<One>(a) : a;
        check("rsqrt", inverse_sqrt<One>(magnitude), scalar::rsqrt(a.hi < 0 ? scalar::neg(x) : x, kBits), 1);
      }
    }
  }
}

TEST_CASE("functions contain the exact value and are sharp") {
  std::mt19937_64 random(13);
  for (int i = 0; i < 6000; ++i) {
    const Enclosed a = random_pair(random, -60, 9), positive = a.hi < 0 ? neg<One>(a) : a;
    INFO("argument " << a.hi);
    const Ball x = pair_ball(a);
    const Exponential<One> e = exponential<One>(a);
    const Ball power = scalar::mul(scalar::exp(x, kBits + 100), Ball::from_double(power_of_two(-e.exponent / 2)), kBits);
    if (std::fmod(e.exponent, 2) == 0) {
      check("exp", e.fraction,
            scalar::sub(scalar::mul(power, Ball::from_double(power_of_two(-e.exponent / 2)), kBits), Ball::from_double(1), kBits), 0x1p-95);
    }
    const Enclosed th = tanh(a), sg = sigmoid(a), rs = inverse_sqrt<One>(positive);
    check("tanh", th, scalar::tanh(x, kBits), 0x1p-94 * std::fabs(th.hi));
    check("sigmoid", sg, scalar::sigmoid(x, kBits), 0x1p-94);
    check("rsqrt", rs, scalar::rsqrt(pair_ball(positive), kBits), 0x1p-99 * rs.hi);
    const Enclosed ln = log_near(positive, std::log(positive.hi));
    check("log", ln, scalar::log(pair_ball(positive), kBits), 0x1p-94 * std::fmax(1, std::fabs(ln.hi)));
  }
}

TEST_CASE("what cannot be enclosed has an infinite radius") {
  CHECK(std::isinf(inverse_sqrt<One>({0, 0, 0}).radius));
  CHECK(std::isinf(inverse_sqrt<One>({-1, 0, 0}).radius));
  CHECK(std::isinf(inverse_sqrt<One>({1, 0, 2}).radius));
  CHECK(std::isinf(div<One>({1, 0, 0}, {1, 0, 2}).radius));
  CHECK(std::isinf(exponential<One>({1, 0, 2}).fraction.radius));
  CHECK(std::isinf(exponential<One>({1e10, 0, 0}).fraction.radius));
  CHECK(std::isinf(log_near({-1, 0, 0}, 0).radius));
}

}  // namespace
}  // namespace equinorm::oracle
