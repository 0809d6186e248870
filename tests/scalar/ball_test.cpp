#include "scalar/ball.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "scalar/error.hpp"

using namespace equinorm::scalar;
using equinorm::Error;
using equinorm::Truth;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Midpoint and radius of a finite ball as fractions.
std::pair<Rational, Rational> parts(const Ball& a) {
  Real part(100000);
  REQUIRE(arf_get_mpfr(part.writable(), arb_midref(a.get()), MPFR_RNDN) == 0);
  const Rational middle = to_rational(part);
  Ball radius;
  arf_set_mag(arb_midref(radius.writable()), arb_radref(a.get()));
  REQUIRE(arf_get_mpfr(part.writable(), arb_midref(radius.get()), MPFR_RNDN) == 0);
  return {middle, to_rational(part)};
}

Rational magnitude(const Rational& x) { return x < 0 ? Rational(-x) : x; }

Rational random_rational(std::mt19937_64& random) {
  const auto numerator = static_cast<std::int64_t>(random() % 2000001) - 1000000;
  return Rational(numerator) / static_cast<std::int64_t>(1 + random() % 1000000);
}

struct Pair {
  Rational exact;
  Ball ball;
};

/// A random expression of + - * / over random fractions, evaluated exactly and in balls of changing precision.
Pair random_tree(std::mt19937_64& random, int depth) {
  const int bits = 20 + static_cast<int>(random() % 100);
  if (depth == 0) {
    const Rational leaf = random_rational(random);
    return {leaf, Ball::from_rational(leaf, bits)};
  }
  const Pair a = random_tree(random, depth - 1);
  const Pair b = random_tree(random, depth - 1);
  switch (random() % 5) {
    case 0:
      return {a.exact + b.exact, add(a.ball, b.ball, bits)};
    case 1:
      return {a.exact - b.exact, sub(a.ball, b.ball, bits)};
    case 2:
      return {a.exact * b.exact, mul(a.ball, b.ball, bits)};
    case 3:
      return {-a.exact, neg(a.ball)};
    default:
      break;
  }
  if (contains(b.ball, Rational(0))) return a;
  return {a.exact / b.exact, div(a.ball, b.ball, bits)};
}

}  // namespace

TEST_CASE("balls contain the exact value of random rational expressions") {
  const std::uint64_t seed = 41;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  int tight = 0;
  for (int round = 0; round < 2000; ++round) {
    const Pair tree = random_tree(random, 1 + round % 6);
    REQUIRE(is_finite(tree.ball));
    REQUIRE(contains(tree.ball, tree.exact));
    const auto [middle, radius] = parts(tree.ball);
    REQUIRE(magnitude(tree.exact - middle) <= radius);
    // contains() must be able to say no.
    REQUIRE_FALSE(contains(tree.ball, Rational(middle + radius * 2 + 1)));
    REQUIRE_FALSE(contains(
        tree.ball, Rational(middle - radius * Rational(1001) / 1000 - Rational(1) / Rational("1000000000000000000000000000000000000"))));
    tight += radius * 1000 <= magnitude(middle);
  }
  CHECK(tight > 1500);
}

TEST_CASE("ball functions contain reals of 400 bits") {
  const std::uint64_t seed = 42;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr int kBits = 80;
  constexpr int kReference = 400;
  for (int round = 0; round < 500; ++round) {
    const Rational x = random_rational(random) / (1 + random() % 1000000);
    const Rational y = magnitude(x) + Rational(1) / 1000000;
    const Ball bx = Ball::from_rational(x, kBits), by = Ball::from_rational(y, kBits);
    const Real rx = Real::from_rational(x, kReference + 100), ry = Real::from_rational(y, kReference + 100);
    const std::pair<Ball, Real> results[] = {{exp(bx, kBits), exp(rx, kReference)},   {log(by, kBits), log(ry, kReference)},
                                             {tanh(bx, kBits), tanh(rx, kReference)}, {sigmoid(bx, kBits), sigmoid(rx, kReference)},
                                             {sqrt(by, kBits), sqrt(ry, kReference)}, {rsqrt(by, kBits), rsqrt(ry, kReference)}};
    for (const auto& [ball, real] : results) {
      REQUIRE(contains(ball, real));
      const auto [middle, radius] = parts(ball);
      REQUIRE(radius * 1000000000 < magnitude(middle) + Rational(1) / 1000000);
    }
  }
}

TEST_CASE("functions of wide balls contain the function of every point") {
  const std::uint64_t seed = 43;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int round = 0; round < 300; ++round) {
    const double scale = std::ldexp(1.0, static_cast<int>(random() % 10) - 3);
    const double p = scale * uniform(random), q = scale * uniform(random);
    const Ball wide = Ball::from_interval(std::min(p, q), std::max(p, q), 60);
    const Ball positive = exp(wide, 60);
    const Ball s = sigmoid(wide, 60), t = tanh(wide, 60), root = sqrt(positive, 60), inverse_root = rsqrt(positive, 60);
    REQUIRE(is_finite(s));
    for (int point = 0; point < 10; ++point) {
      const double x = p + (q - p) * point / 9;
      if (!(x >= std::min(p, q) && x <= std::max(p, q))) continue;
      const Real rx = Real::from_double(x, 53);
      REQUIRE(contains(wide, rx));
      REQUIRE(contains(positive, exp(rx, 300)));
      REQUIRE(contains(s, sigmoid(rx, 300)));
      REQUIRE(contains(t, tanh(rx, 300)));
      const Real half = mul(rx, Real::from_double(0.5, 2), 300);
      if (is_finite(root)) REQUIRE(contains(root, exp(half, 300)));
      if (is_finite(inverse_root)) REQUIRE(contains(inverse_root, exp(neg(half, 300), 300)));
    }
  }
  CHECK(is_finite(sigmoid(Ball::from_interval(-800, 800, 60), 60)));
  CHECK_THROWS_AS(Ball::from_interval(1, 0, 60), Error);
  CHECK_THROWS_AS(Ball::from_interval(0, NAN, 60), Error);
}

TEST_CASE("special balls") {
  CHECK(contains(Ball(), Rational(0)));
  CHECK_FALSE(contains(Ball(), Rational(1) / Rational("100000000000000000000000000000000000000000")));
  for (const double value : {static_cast<double>(NAN), kInfinity, -kInfinity}) {
    CHECK_FALSE(is_finite(Ball::from_double(value)));
    CHECK(contains(Ball::from_double(value), Rational(5)));
    CHECK(contains(Ball::from_real(Real::from_double(value, 53)), Rational(-7)));
  }
  CHECK_FALSE(contains(Ball::from_double(NAN), Real::from_double(NAN, 53)));
  CHECK_FALSE(is_finite(div(Ball::from_integer(1), Ball(), 53)));
  CHECK_FALSE(is_finite(sqrt(Ball::from_integer(-1), 53)));
  CHECK_FALSE(is_finite(log(Ball(), 53)));
  CHECK(midpoint_double(Ball::from_double(-0.1)) == -0.1);
  CHECK(midpoint_double(Ball::from_integer(std::numeric_limits<std::int64_t>::min())) == -9223372036854775808.0);
  const Real third = Real::from_rational(Rational(1) / 3, 500);
  CHECK(contains(Ball::from_real(third), third));
  CHECK_FALSE(contains(Ball::from_real(third), Rational(1) / 3));
  Ball moved_from = Ball::from_integer(4);
  const Ball moved(std::move(moved_from));
  CHECK(contains(moved, Rational(4)));
  Ball copy;
  copy = moved;
  CHECK(contains(copy, Rational(4)));
}

TEST_CASE("certainly_less is a question with three answers") {
  const Ball low = Ball::from_interval(0, 1, 60), high = Ball::from_interval(2, 3, 60), middle = Ball::from_interval(0.5, 2.5, 60);
  CHECK(certainly_less(low, high) == Truth::yes);
  CHECK(certainly_less(high, low) == Truth::no);
  CHECK(certainly_less(low, middle) == Truth::unknown);
  CHECK(certainly_less(middle, high) == Truth::unknown);
  CHECK(certainly_less(low, low) == Truth::unknown);
  CHECK(certainly_less(Ball(), Ball()) == Truth::no);
  CHECK(certainly_less(Ball::from_double(NAN), low) == Truth::unknown);
  CHECK(certainly_less(low, Ball::from_double(NAN)) == Truth::unknown);
}

TEST_CASE("enclosures hold both ends of the ball and little more") {
  const std::uint64_t seed = 44;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5000; ++round) {
    // Midpoints of up to 200 bits at every scale of binary64, subnormals too; radii from far below one ulp to above the midpoint; some
    // none.
    Ball ball = Ball::from_rational(random_rational(random) + Rational(1) / 1000003, 20 + static_cast<int>(random() % 180));
    if (round % 5 == 0) mag_zero(arb_radref(ball.writable()));
    if (round % 7 == 0) arb_add_error_2exp_si(ball.writable(), static_cast<slong>(random() % 250) - 220);
    arb_mul_2exp_si(ball.writable(), ball.get(), static_cast<slong>(random() % 2060) - 1100);
    const auto [middle, radius] = parts(ball);
    const Enclosure result = enclosure(ball);
    INFO("round " << round << ", value " << result.value << ", radius " << result.radius);
    REQUIRE(result.value == to_double(middle));
    REQUIRE(result.low == to_double(Rational(middle - Rational(result.value))));
    const Rational need = magnitude(middle - Rational(result.value)) + radius;
    REQUIRE(Rational(result.radius) >= need);
    REQUIRE(Rational(result.radius) <= need * (1 + Rational(1) / (std::int64_t{1} << 51)) + Rational(4.9406564584124654e-324));
    const Rational low_need = magnitude(middle - Rational(result.value) - Rational(result.low)) + radius;
    REQUIRE(Rational(result.lo_radius) >= low_need);
    REQUIRE(Rational(result.lo_radius) <= low_need * (1 + Rational(1) / (std::int64_t{1} << 51)) + Rational(4.9406564584124654e-324));
  }
}

TEST_CASE("enclosures at the ends") {
  const Enclosure exact = enclosure(Ball::from_double(0.1));
  CHECK(exact.value == 0.1);
  CHECK(exact.low == 0.0);
  CHECK(exact.radius == 0.0);
  CHECK(exact.lo_radius == 0.0);
  const Enclosure nothing = enclosure(Ball::from_double(NAN));
  CHECK(std::isnan(nothing.value));
  CHECK(nothing.radius == kInfinity);
  CHECK(nothing.lo_radius == kInfinity);
  Ball huge = Ball::from_integer(-1);
  arb_mul_2exp_si(huge.writable(), huge.get(), 2000);
  CHECK(enclosure(huge).value == -kInfinity);
  CHECK(enclosure(huge).low == 0.0);
  CHECK(enclosure(huge).radius == kInfinity);
  Ball tiny = Ball::from_integer(1);
  arb_mul_2exp_si(tiny.writable(), tiny.get(), -1000000000);
  CHECK(enclosure(tiny).value == 0.0);
  CHECK(enclosure(tiny).radius == 4.9406564584124654e-324);
  Ball vague = Ball::from_integer(3);
  arb_add_error_2exp_si(vague.writable(), 5000);
  CHECK(enclosure(vague).value == 3.0);
  CHECK(enclosure(vague).radius == kInfinity);
}

TEST_CASE("ball matmul contains the exact product") {
  const std::uint64_t seed = 45;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const std::int64_t m = 3, n = 4;
  for (const std::int64_t depth : {0, 1, 2, 17, 200}) {
    std::vector<Rational> a, b, start;
    std::vector<Ball> ball_a, ball_b, ball_start;
    for (std::int64_t i = 0; i < m * depth; ++i) ball_a.push_back(Ball::from_rational(a.emplace_back(random_rational(random)), 60));
    for (std::int64_t i = 0; i < n * depth; ++i) ball_b.push_back(Ball::from_rational(b.emplace_back(random_rational(random)), 60));
    for (std::int64_t i = 0; i < m * n; ++i) ball_start.push_back(Ball::from_rational(start.emplace_back(random_rational(random)), 60));
    std::vector<Ball> transposed(static_cast<std::size_t>(n * depth));
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t j = 0; j < n; ++j) transposed[j * depth + k] = ball_b[k * n + j];
    }
    for (const bool accumulate : {false, true}) {
      std::vector<Ball> out = ball_start, out_transposed = ball_start;
      matmul(64, m, n, depth, ball_a.data(), depth, ball_b.data(), n, out.data(), n, accumulate);
      matmul_transposed(64, m, n, depth, ball_a.data(), depth, transposed.data(), depth, out_transposed.data(), n, accumulate);
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          Rational exact = accumulate ? start[i * n + j] : Rational(0);
          Rational sum = magnitude(exact);
          for (std::int64_t k = 0; k < depth; ++k) {
            exact += a[i * depth + k] * b[k * n + j];
            sum += magnitude(a[i * depth + k] * b[k * n + j]);
          }
          for (const Ball* result : {&out[i * n + j], &out_transposed[i * n + j]}) {
            REQUIRE(contains(*result, exact));
            REQUIRE(parts(*result).second * (std::int64_t{1} << 40) <= sum);
          }
        }
      }
    }
  }
  Ball x[3];
  CHECK_THROWS_AS(matmul(64, 1, 1, -1, x, 1, x + 1, 1, x + 2, 1, false), Error);
  CHECK_THROWS_AS(matmul(64, 1, 1, 2, x, 1, x + 1, 1, x + 2, 1, false), Error);
}

TEST_CASE("balls work in threads") {
  const auto work = [] {
    Ball result = Ball::from_rational(Rational(1) / 7, 200);
    for (int i = 0; i < 30; ++i) result = exp(tanh(log(add(result, Ball::from_integer(2), 200), 200), 200), 200);
    return result;
  };
  std::vector<Ball> results(4);
  std::vector<std::thread> threads;
  for (Ball& result : results) threads.emplace_back([&result, &work] { result = work(); });
  for (std::thread& thread : threads) thread.join();
  for (const Ball& result : results) CHECK(arb_equal(result.get(), work().get()));
}
