#include "scalar/quad.hpp"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/real.hpp"
#include "scalar/simd.hpp"

using namespace equinorm::scalar;
using equinorm::Error;

namespace {

/// Enough bits for every sum of products of doubles to be exact.
constexpr int kExactBits = 4500;

struct Exact {
  Real sum{kExactBits};
  Real magnitudes{kExactBits};

  void add_product(double a, double b) {
    const Real product = mul(Real::from_double(a, 53), Real::from_double(b, 53), 106);
    mpfr_add(sum.writable(), sum.get(), product.get(), MPFR_RNDN);
    const Real size = Real::from_double(std::abs(a), 53);
    const Real other = Real::from_double(std::abs(b), 53);
    mpfr_add(magnitudes.writable(), magnitudes.get(), mul(size, other, 106).get(), MPFR_RNDN);
  }
};

/// A double not below the number.
double above(const Real& x) { return mpfr_get_d(x.get(), MPFR_RNDU); }

std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> result;
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (level <= detected_simd_level()) result.push_back(level);
  }
  return result;
}

enum class Data { normal, scattered, cancelling, subnormal };

double sample(std::mt19937_64& random, Data data) {
  std::normal_distribution<double> normal;
  const double x = normal(random);
  if (data == Data::scattered) return std::ldexp(x, static_cast<int>(random() % 200) - 100);
  if (data == Data::subnormal) return std::ldexp(x, -480 - static_cast<int>(random() % 120));
  return x;
}

struct Shape {
  std::int64_t m, n, depth;
};

struct Operands {
  std::vector<double> a, b;
};

Operands make_operands(std::mt19937_64& random, Shape s, Data data) {
  Operands result;
  for (std::int64_t i = 0; i < s.m * s.depth; ++i) result.a.push_back(sample(random, data));
  for (std::int64_t i = 0; i < s.depth * s.n; ++i) result.b.push_back(sample(random, data));
  if (data == Data::cancelling) {
    // Every second term almost undoes the one before it.
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t k = 1; k < s.depth; k += 2) result.a[i * s.depth + k] = result.a[i * s.depth + k - 1];
    }
    for (std::int64_t k = 1; k < s.depth; k += 2) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        result.b[k * s.n + j] = -result.b[(k - 1) * s.n + j] * (random() % 8 ? 1.0 : 1.0 + 0x1p-50);
      }
    }
  }
  return result;
}

struct Pairs {
  std::vector<double> hi, lo;
};

bool same_bits(const std::vector<double>& x, const std::vector<double>& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](double p, double q) { return std::bit_cast<std::uint64_t>(p) == std::bit_cast<std::uint64_t>(q); });
}

/// All levels, both layouts of b, the same bits; padding survives.
Pairs multiply_everywhere(Shape s, const Operands& x) {
  const std::int64_t ldo = s.n + 3;
  std::vector<double> transposed(x.b.size());
  for (std::int64_t k = 0; k < s.depth; ++k) {
    for (std::int64_t j = 0; j < s.n; ++j) transposed[j * s.depth + k] = x.b[k * s.n + j];
  }
  Pairs first;
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    for (const bool is_transposed : {false, true}) {
      INFO("level " << to_string(level) << ", transposed " << is_transposed);
      const auto size = static_cast<std::size_t>(s.m * ldo);
      Pairs out{std::vector<double>(size, 7.0), std::vector<double>(size, 9.0)};
      if (is_transposed) {
        matmul_wide_transposed(s.m, s.n, s.depth, x.a.data(), s.depth, transposed.data(), s.depth, out.hi.data(), out.lo.data(), ldo);
      } else {
        matmul_wide(s.m, s.n, s.depth, x.a.data(), s.depth, x.b.data(), s.n, out.hi.data(), out.lo.data(), ldo);
      }
      for (std::int64_t i = 0; i < s.m; ++i) {
        for (std::int64_t j = s.n; j < ldo; ++j) REQUIRE((out.hi[i * ldo + j] == 7.0 && out.lo[i * ldo + j] == 9.0));
      }
      if (first.hi.empty()) first = out;
      REQUIRE(same_bits(out.hi, first.hi));
      REQUIRE(same_bits(out.lo, first.lo));
    }
  }
  return first;
}

/// Greatest error over its bound; every element within it.
double check_against_mpfr(Shape s, const Operands& x, const Pairs& out) {
  double worst = 0;
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      Exact exact;
      for (std::int64_t k = 0; k < s.depth; ++k) exact.add_product(x.a[i * s.depth + k], x.b[k * s.n + j]);
      const double hi = out.hi[i * (s.n + 3) + j];
      const double lo = out.lo[i * (s.n + 3) + j];
      REQUIRE(hi + lo == hi);
      const Real pair = add(Real::from_double(hi, 53), Real::from_double(lo, 53), kExactBits);
      Real error = sub(pair, exact.sum, kExactBits);
      mpfr_abs(error.writable(), error.get(), MPFR_RNDN);
      const double bound = wide_error_bound(s.depth, above(exact.magnitudes));
      REQUIRE(compare(error, Real::from_double(bound, 53)) <= 0);
      worst = std::max(worst, to_double(error) / bound);
    }
  }
  return worst;
}

}  // namespace

namespace {

Real real_of(Quad x) {
  Real result(113);
  for (int part = 0; part < 3; ++part) {
    const auto piece = static_cast<double>(x);
    x -= piece;
    mpfr_add_d(result.writable(), result.get(), piece, MPFR_RNDN);
  }
  return result;
}

}  // namespace

TEST_CASE("Quad is binary128, correctly rounded in + - * / and within an ulp in sqrt") {
  const std::uint64_t seed = 50;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  CHECK(std::numeric_limits<Quad>::digits == 113);
  const auto random_quad = [&random] {
    Quad result = sample(random, Data::scattered);
    result *= 1 + ldexp(Quad(random() >> 3), -112);
    return result;
  };
  for (int round = 0; round < 5000; ++round) {
    const Quad x = random_quad(), y = random_quad();
    const Real rx = real_of(x), ry = real_of(y);
    REQUIRE(compare(real_of(x + y), add(rx, ry, 113)) == 0);
    REQUIRE(compare(real_of(x - y), sub(rx, ry, 113)) == 0);
    REQUIRE(compare(real_of(x * y), mul(rx, ry, 113)) == 0);
    REQUIRE(compare(real_of(x / y), div(rx, ry, 113)) == 0);
    const Real root = sqrt(real_of(abs(x)), 113);
    const double difference = std::abs(to_double(sub(real_of(sqrt(abs(x))), root, 113)));
    REQUIRE(difference <= 0x1p-112 * to_double(root));
  }
}

TEST_CASE("wide products stay within their bound and do not depend on the SIMD level") {
  const std::uint64_t seed = 51;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const Data data : {Data::normal, Data::scattered, Data::cancelling, Data::subnormal}) {
    double worst = 0;
    for (const Shape s : {Shape{1, 1, 1}, Shape{1, 1, 2}, Shape{2, 3, 5}, Shape{5, 17, 33}, Shape{4, 16, 512}, Shape{3, 9, 513},
                          Shape{2, 2, 2100}, Shape{2, 260, 20}}) {
      INFO("data " << static_cast<int>(data) << ", " << s.m << " x " << s.n << " x " << s.depth);
      const Operands x = make_operands(random, s, data);
      worst = std::max(worst, check_against_mpfr(s, x, multiply_everywhere(s, x)));
    }
    INFO("data " << static_cast<int>(data) << ", greatest error / bound " << worst);
    CHECK(worst > 0);
  }
}

TEST_CASE("the bound is far below what plain binary64 sums reach") {
  std::mt19937_64 random(52);
  const Shape s{1, 1, 1000};
  const Operands x = make_operands(random, s, Data::normal);
  Exact exact;
  double plain = 0;
  for (std::size_t k = 0; k < 1000; ++k) {
    exact.add_product(x.a[k], x.b[k]);
    plain += x.a[k] * x.b[k];
  }
  const double error = std::abs(to_double(sub(Real::from_double(plain, 53), exact.sum, 53)));
  CHECK(error > 1e6 * wide_error_bound(1000, above(exact.magnitudes)));
}

TEST_CASE("a sum that cancels completely is recovered") {
  // 2^100 + 1 - 2^100 and its mirror: binary64 sums lose the 1.
  const double a[] = {0x1p50, 1.0, -0x1p50};
  const double b[] = {0x1p50, 1.0, 0x1p50};
  double hi = 0, lo = 0;
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    matmul_wide(1, 1, 3, a, 3, b, 1, &hi, &lo, 1);
    CHECK(hi == 1.0);
    CHECK(lo == 0.0);
    matmul_wide(1, 1, 0, a, 0, b, 1, &hi, &lo, 1);
    CHECK(hi == 0.0);
    CHECK(lo == 0.0);
  }
}

TEST_CASE("wide_error_bound is gamma squared, rounded up") {
  for (const std::int64_t depth : {std::int64_t{1}, std::int64_t{3}, std::int64_t{512}, std::int64_t{1000003}, std::int64_t{1} << 40}) {
    for (const double size : {0.0, 1e-300, 1.0, 3.7e10, 1e300}) {
      const Rational nu = Rational(depth) / Rational(std::int64_t{1} << 53);
      const Rational gamma = nu / (1 - nu);
      const Rational exact = gamma * gamma * Rational(size) + Rational(depth) * Rational(0x1p-1074);
      const Rational bound(wide_error_bound(depth, size));
      CHECK(bound >= exact);
      CHECK(bound <= exact * (1 + Rational(1) / 1000000) + 3 * Rational(0x1p-1074));
    }
  }
  CHECK_THROWS_AS(wide_error_bound(-1, 1.0), Error);
  CHECK_THROWS_AS(wide_error_bound((std::int64_t{1} << 40) + 1, 1.0), Error);
}

TEST_CASE("wide products refuse impossible shapes") {
  double x[4] = {};
  CHECK_THROWS_AS(matmul_wide(1, 1, -1, x, 1, x, 1, x + 1, x + 2, 1), Error);
  CHECK_THROWS_AS(matmul_wide(1, 1, 2, x, 1, x, 1, x + 1, x + 2, 1), Error);
  CHECK_THROWS_AS(matmul_wide(1, 2, 1, x, 1, x, 1, x + 1, x + 2, 2), Error);
  CHECK_THROWS_AS(matmul_wide_transposed(1, 2, 2, x, 2, x, 1, x + 1, x + 2, 2), Error);
}
