// Products and sums of Reals: every order against a naive loop of the single operations, and against the processor's own floats.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/real.hpp"

using namespace equinorm::scalar;
using equinorm::Error;

namespace {

using Matrix = std::vector<Real>;

Matrix random_matrix(std::mt19937_64& random, std::int64_t size, int bits) {
  std::normal_distribution<double> normal;
  Matrix result;
  for (std::int64_t i = 0; i < size; ++i) {
    // Products of three normals: magnitudes differ, and every operand has all its bits.
    result.push_back(i % 7 == 3 ? Real()
                                : mul(mul(Real::from_double(normal(random), bits), Real::from_double(normal(random), bits), bits),
                                      Real::from_double(normal(random), bits), bits));
  }
  return result;
}

struct Naive {
  int bits;
  bool fused;
  std::vector<std::pair<Real, Real>> terms;

  Real product(std::size_t k) const { return mul(terms[k].first, terms[k].second, bits); }

  Real chain(std::size_t first, std::size_t last) const {
    Real sum = product(first);
    for (std::size_t k = first + 1; k < last; ++k) sum = step(sum, k);
    return sum;
  }

  Real step(const Real& sum, std::size_t k) const {
    return fused ? fma(terms[k].first, terms[k].second, sum, bits) : add(sum, product(k), bits);
  }

  Real tree(std::size_t first, std::size_t last) const {
    const std::size_t count = last - first;
    if (count == 1) return product(first);
    std::size_t half = 1;
    while (2 * half < count) half *= 2;
    return add(tree(first, first + half), tree(first + half, last), bits);
  }

  Real total(const SumOrder& order) const {
    if (order.kind == SumOrder::Kind::pairwise) return tree(0, terms.size());
    if (order.kind != SumOrder::Kind::blocked) return chain(0, terms.size());
    const auto block = static_cast<std::size_t>(order.block);
    Real sum = chain(0, std::min(block, terms.size()));
    for (std::size_t first = block; first < terms.size(); first += block) {
      sum = add(sum, chain(first, std::min(first + block, terms.size())), bits);
    }
    return sum;
  }

  Real with(const Real* start, const SumOrder& order) const {
    if (terms.empty()) return start == nullptr ? Real(bits) : *start;
    if (start == nullptr) return total(order);
    if (order.kind == SumOrder::Kind::pairwise || order.kind == SumOrder::Kind::blocked) return add(*start, total(order), bits);
    Real sum = *start;
    for (std::size_t k = 0; k < terms.size(); ++k) sum = step(sum, k);
    return sum;
  }
};

SumOrder order_of(SumOrder::Kind kind, std::int64_t block = 0) { return {kind, block, ""}; }

std::vector<SumOrder> orders() {
  using Kind = SumOrder::Kind;
  return {order_of(Kind::any),        order_of(Kind::sequential), order_of(Kind::pairwise),
          order_of(Kind::blocked, 1), order_of(Kind::blocked, 8), order_of(Kind::blocked, 1000)};
}

void check_matmul(std::mt19937_64& random, int bits, std::int64_t depth) {
  const std::int64_t m = 2, n = 3;
  const Matrix a = random_matrix(random, m * depth, bits);
  const Matrix b = random_matrix(random, depth * n, bits);
  Matrix transposed(static_cast<std::size_t>(n * depth));
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t j = 0; j < n; ++j) transposed[j * depth + k] = b[k * n + j];
  }
  const Matrix start = random_matrix(random, m * n, bits);
  for (const SumOrder& order : orders()) {
    for (const bool fused : {false, true}) {
      for (const bool accumulate : {false, true}) {
        INFO("bits " << bits << ", depth " << depth << ", order " << static_cast<int>(order.kind) << ":" << order.block << ", fused "
                     << fused << ", add " << accumulate);
        Matrix out = start;
        Matrix out_transposed = start;
        matmul(bits, order, fused, m, n, depth, a.data(), depth, b.data(), n, out.data(), n, accumulate);
        matmul_transposed(bits, order, fused, m, n, depth, a.data(), depth, transposed.data(), depth, out_transposed.data(), n, accumulate);
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            Naive naive{bits, fused, {}};
            for (std::int64_t k = 0; k < depth; ++k) naive.terms.emplace_back(a[i * depth + k], b[k * n + j]);
            const Real expected = naive.with(accumulate ? &start[i * n + j] : nullptr, order);
            REQUIRE(out[i * n + j].bits() == bits);
            REQUIRE(compare(out[i * n + j], expected) == 0);
            REQUIRE(compare(out_transposed[i * n + j], expected) == 0);
            if (!accumulate) {
              REQUIRE(compare(dot(bits, order, fused, depth, a.data() + i * depth, 1, b.data() + j, n), expected) == 0);
            }
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("real matmul sums in the stated order") {
  const std::uint64_t seed = 31;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const int bits : {11, 24, 53, 113, 300}) {
    for (const std::int64_t depth : {0, 1, 2, 3, 5, 8, 9, 31, 100}) check_matmul(random, bits, depth);
  }
}

TEST_CASE("orders and fusion do change the result") {
  std::mt19937_64 random(32);
  const std::int64_t depth = 400;
  const Matrix a = random_matrix(random, depth, 24);
  const Matrix b = random_matrix(random, depth, 24);
  std::vector<Real> results;
  for (const SumOrder& order :
       {order_of(SumOrder::Kind::sequential), order_of(SumOrder::Kind::pairwise), order_of(SumOrder::Kind::blocked, 8)}) {
    results.push_back(dot(24, order, false, depth, a.data(), 1, b.data(), 1));
  }
  results.push_back(dot(24, order_of(SumOrder::Kind::sequential), true, depth, a.data(), 1, b.data(), 1));
  int different = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) different += compare(results[i], results[j]) != 0;
  }
  CHECK(different >= 4);
}

TEST_CASE("sequential real sums of 24 bits are the float loops") {
  std::mt19937_64 random(33);
  std::normal_distribution<float> normal;
  std::vector<float> x, y;
  std::vector<Real> rx, ry;
  for (int k = 0; k < 1000; ++k) {
    x.push_back(normal(random));
    y.push_back(normal(random));
    rx.push_back(Real::from_double(x.back(), 24));
    ry.push_back(Real::from_double(y.back(), 24));
  }
  float chain = x[0] * y[0], split = chain, total = x[0];
  for (std::size_t k = 1; k < 1000; ++k) {
    chain = std::fma(x[k], y[k], chain);
    split += x[k] * y[k];
    total += x[k];
  }
  const SumOrder order = order_of(SumOrder::Kind::sequential);
  CHECK(to_double(dot(24, order, true, 1000, rx.data(), 1, ry.data(), 1)) == static_cast<double>(chain));
  CHECK(to_double(dot(24, order, false, 1000, rx.data(), 1, ry.data(), 1)) == static_cast<double>(split));
  CHECK(to_double(sum(24, order, false, 1000, rx.data(), 1)) == static_cast<double>(total));
}

TEST_CASE("negative zero, stale content and precision of the output") {
  const SumOrder order = order_of(SumOrder::Kind::sequential);
  const Real minus_zero = Real::from_double(-0.0, 24);
  const Real one = Real::from_integer(1, 24);
  CHECK(std::signbit(to_double(dot(24, order, true, 1, &minus_zero, 1, &one, 1))));
  Real out = Real::from_rational(Rational(1) / 3, 100);
  matmul(24, order, true, 1, 1, 0, &one, 0, &one, 1, &out, 1, true);
  CHECK(out.bits() == 24);
  CHECK(compare(out, Real::from_rational(Rational(1) / 3, 24)) == 0);
  out = Real::from_double(NAN, 24);
  matmul(24, order, true, 1, 1, 1, &one, 1, &one, 1, &out, 1, false);
  CHECK(compare(out, one) == 0);
  Real empty;
  matmul(24, order, true, 1, 1, 1, &one, 1, &one, 1, &empty, 1, true);
  CHECK(compare(empty, one) == 0);
}

TEST_CASE("real matmul refuses what it cannot do") {
  Real x[4];
  const SumOrder good = order_of(SumOrder::Kind::sequential);
  CHECK_THROWS_AS(matmul(24, order_of(SumOrder::Kind::tensor_core), true, 1, 1, 1, x, 1, x + 1, 1, x + 2, 1, false), Error);
  CHECK_THROWS_AS(matmul(24, order_of(SumOrder::Kind::blocked, 0), true, 1, 1, 1, x, 1, x + 1, 1, x + 2, 1, false), Error);
  CHECK_THROWS_AS(matmul(24, good, true, 1, 1, -1, x, 1, x + 1, 1, x + 2, 1, false), Error);
  CHECK_THROWS_AS(matmul(24, good, true, 1, 1, 2, x, 1, x + 1, 1, x + 2, 1, false), Error);
  CHECK_THROWS_AS(matmul(0, good, true, 1, 1, 1, x, 1, x + 1, 1, x + 2, 1, false), Error);
}

TEST_CASE("threads agree with each other at different precisions") {
  REQUIRE(mpfr_buildopt_tls_p());
  std::mt19937_64 random(34);
  const Matrix a = random_matrix(random, 500, 200);
  const auto work = [&a](int bits) {
    Real result = dot(bits, order_of(SumOrder::Kind::pairwise), true, 500, a.data(), 1, a.data(), 1);
    for (int i = 0; i < 50; ++i) result = sigmoid(exp(log(add(result, Real::from_integer(i + 1, bits), bits), bits), bits), bits);
    return result;
  };
  std::vector<Real> results(8);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < results.size(); ++t) threads.emplace_back([&, t] { results[t] = work(t % 2 ? 53 : 200); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < results.size(); ++t) CHECK(compare(results[t], work(t % 2 ? 53 : 200)) == 0);
}
