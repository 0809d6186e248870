#include "scalar/prime_field.hpp"

#include <gmpxx.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "scalar/error.hpp"
#include "scalar/prime_field_body.hpp"
#include "scalar/simd.hpp"

using namespace equinorm::scalar;
using equinorm::Error;

namespace {

mpz_class big(std::uint64_t value) { return {static_cast<unsigned long>(value)}; }
mpz_class prime() { return big(kFieldPrime); }
mpz_class big(FieldElement a) { return big(a.value); }

std::uint64_t residue(const mpz_class& value) {
  mpz_class result;
  mpz_mod(result.get_mpz_t(), value.get_mpz_t(), prime().get_mpz_t());
  return result.get_ui();
}

/// Values at which carries, limbs and conditional subtractions change their mind.
std::vector<FieldElement> edge_elements() {
  std::vector<FieldElement> result;
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{26}, std::uint64_t{27}, std::uint64_t{28},
        (std::uint64_t{1} << 25) - 1, std::uint64_t{1} << 25, (std::uint64_t{1} << 49) - 1, std::uint64_t{1} << 49, kFieldPrime / 2,
        kFieldPrime / 2 + 1, kFieldPrime - 27, kFieldPrime - 2, kFieldPrime - 1}) {
    result.push_back({value});
  }
  return result;
}

FieldElement random_element(std::mt19937_64& random) { return {random() % kFieldPrime}; }

std::vector<FieldElement> random_matrix(std::mt19937_64& random, std::int64_t size) {
  std::vector<FieldElement> result(static_cast<std::size_t>(size));
  for (FieldElement& element : result) element = random_element(random);
  return result;
}

std::vector<SimdLevel> levels() {
  std::vector<SimdLevel> result;
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (level <= detected_simd_level()) result.push_back(level);
  }
  return result;
}

void check_pair(FieldElement a, FieldElement b) {
  REQUIRE(add(a, b).value == residue(big(a) + big(b)));
  REQUIRE(sub(a, b).value == residue(big(a) - big(b)));
  REQUIRE(mul(a, b).value == residue(big(a) * big(b)));
  REQUIRE(neg(a).value == residue(-big(a)));
}

}  // namespace

TEST_CASE("2^50 - 27 is prime") {
  REQUIRE(mpz_probab_prime_p(prime().get_mpz_t(), 50) > 0);
  // A proof: nothing up to the square root divides it.
  std::uint64_t divisors = kFieldPrime % 2 == 0;
  for (std::uint64_t d = 3; d <= std::uint64_t{1} << 25; d += 2) divisors += kFieldPrime % d == 0;
  CHECK(divisors == 0);
  CHECK(kFieldPrime < std::uint64_t{1} << 50);
}

TEST_CASE("field operations agree with GMP") {
  const std::uint64_t seed = 4711;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const FieldElement a : edge_elements()) {
    for (const FieldElement b : edge_elements()) check_pair(a, b);
    for (int round = 0; round < 100; ++round) check_pair(a, random_element(random));
  }
  for (int round = 0; round < 20000; ++round) check_pair(random_element(random), random_element(random));
}

TEST_CASE("field_reduce takes any word") {
  std::mt19937_64 random(5);
  for (const std::uint64_t x :
       {std::uint64_t{0}, kFieldPrime - 1, kFieldPrime, kFieldPrime + 1, std::uint64_t{1} << 50, (std::uint64_t{1} << 50) - 1,
        2 * kFieldPrime - 1, 2 * kFieldPrime, std::numeric_limits<std::uint64_t>::max()}) {
    CHECK(field_reduce(x).value == x % kFieldPrime);
  }
  for (int round = 0; round < 10000; ++round) {
    const std::uint64_t x = random();
    REQUIRE(field_reduce(x).value == x % kFieldPrime);
  }
}

TEST_CASE("inverse and pow") {
  std::mt19937_64 random(6);
  CHECK_THROWS_AS(inverse({0}), Error);
  std::vector<FieldElement> elements = edge_elements();
  for (int round = 0; round < 1000; ++round) elements.push_back(random_element(random));
  for (const FieldElement a : elements) {
    const std::uint64_t exponent = random();
    mpz_class expected;
    mpz_powm(expected.get_mpz_t(), big(a).get_mpz_t(), big(exponent).get_mpz_t(), prime().get_mpz_t());
    REQUIRE(pow(a, exponent).value == expected.get_ui());
    CHECK(pow(a, 0).value == 1);
    if (a.value == 0) continue;
    mpz_invert(expected.get_mpz_t(), big(a).get_mpz_t(), prime().get_mpz_t());
    REQUIRE(inverse(a).value == expected.get_ui());
  }
}

TEST_CASE("integers and fractions map into the field") {
  std::mt19937_64 random(7);
  for (const std::int64_t integer :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max(), static_cast<std::int64_t>(kFieldPrime), -static_cast<std::int64_t>(kFieldPrime)}) {
    CHECK(FieldElement::from_integer(integer).value == residue(mpz_class(static_cast<long>(integer))));
  }
  for (int round = 0; round < 1000; ++round) {
    const auto numerator = static_cast<std::int64_t>(random());
    const auto denominator = static_cast<std::int64_t>(random() >> 1) | 1;
    const FieldElement a = FieldElement::from_rational(Rational(numerator) / denominator);
    REQUIRE(a.value < kFieldPrime);
    REQUIRE(mul(a, FieldElement::from_integer(denominator)) == FieldElement::from_integer(numerator));
  }
  CHECK(FieldElement::from_rational(Rational(-3)).value == kFieldPrime - 3);
  CHECK(FieldElement::from_rational(Rational(kFieldPrime)).value == 0);
  CHECK_THROWS_AS(FieldElement::from_rational(Rational(1) / (Rational(kFieldPrime) * 2)), Error);
}

TEST_CASE("dot agrees with GMP") {
  std::mt19937_64 random(8);
  for (const std::int64_t length : {0, 1, 3, 8191, 8192, 8193, 20000}) {
    const std::vector<FieldElement> a = random_matrix(random, 2 * length + 1);
    const std::vector<FieldElement> b = random_matrix(random, 3 * length + 1);
    mpz_class sum = 0;
    for (std::int64_t k = 0; k < length; ++k) sum += big(a[2 * k]) * big(b[3 * k]);
    CHECK(dot(length, a.data(), 2, b.data(), 3).value == residue(sum));
  }
  const std::vector<FieldElement> worst(20000, {kFieldPrime - 1});
  CHECK(dot(20000, worst.data(), 1, worst.data(), 1).value == 20000);
}

namespace {

struct Shape {
  std::int64_t m, n, depth;
};

/// matmul and matmul_transposed at every level against `expected` (m x n), with padding that must survive.
void check_product(Shape s, const std::vector<FieldElement>& a, const std::vector<FieldElement>& b,
                   const std::vector<std::uint64_t>& expected) {
  const std::int64_t lda = s.depth + 3;
  const std::int64_t ldb = s.n + 2;
  const std::int64_t ldo = s.n + 5;
  const FieldElement start{kFieldPrime - 5};
  const FieldElement untouched{123456789};
  std::vector<FieldElement> padded_a(static_cast<std::size_t>(s.m * lda), {kFieldPrime - 1});
  std::vector<FieldElement> padded_b(static_cast<std::size_t>(s.depth * ldb), {kFieldPrime - 1});
  std::vector<FieldElement> transposed_b(static_cast<std::size_t>(s.n * lda), {kFieldPrime - 1});
  for (std::int64_t i = 0; i < s.m; ++i) std::copy_n(a.data() + i * s.depth, s.depth, padded_a.data() + i * lda);
  for (std::int64_t k = 0; k < s.depth; ++k) {
    for (std::int64_t j = 0; j < s.n; ++j) padded_b[k * ldb + j] = transposed_b[j * lda + k] = b[k * s.n + j];
  }
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    for (const bool accumulate : {false, true}) {
      for (const bool transposed : {false, true}) {
        INFO("level " << to_string(level) << ", " << s.m << " x " << s.n << " x " << s.depth << ", add " << accumulate << ", transposed "
                      << transposed);
        std::vector<FieldElement> out(static_cast<std::size_t>(s.m * ldo), untouched);
        for (std::int64_t i = 0; i < s.m; ++i) std::fill_n(out.data() + i * ldo, s.n, start);
        if (transposed) {
          matmul_transposed(s.m, s.n, s.depth, padded_a.data(), lda, transposed_b.data(), lda, out.data(), ldo, accumulate);
        } else {
          matmul(s.m, s.n, s.depth, padded_a.data(), lda, padded_b.data(), ldb, out.data(), ldo, accumulate);
        }
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < s.m; ++i) {
          for (std::int64_t j = 0; j < ldo; ++j) {
            const FieldElement product{j < s.n ? expected[i * s.n + j] : 0};
            const FieldElement wanted = j >= s.n ? untouched : (accumulate ? add(product, start) : product);
            wrong += !(out[i * ldo + j] == wanted);
          }
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

}  // namespace

TEST_CASE("matmul agrees with GMP at every SIMD level") {
  const std::uint64_t seed = 99;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const Shape s :
       {Shape{1, 1, 1}, Shape{1, 1, 0}, Shape{0, 3, 4}, Shape{3, 0, 4}, Shape{2, 2, 2}, Shape{6, 16, 512}, Shape{7, 17, 513},
        Shape{4, 12, 511}, Shape{13, 5, 8193}, Shape{3, 257, 100}, Shape{5, 300, 1030}, Shape{1, 33, 4097}, Shape{25, 1, 64}}) {
    const std::vector<FieldElement> a = random_matrix(random, s.m * s.depth);
    const std::vector<FieldElement> b = random_matrix(random, s.depth * s.n);
    std::vector<std::uint64_t> expected;
    mpz_class sum;
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        sum = 0;
        for (std::int64_t k = 0; k < s.depth; ++k) {
          mpz_addmul_ui(sum.get_mpz_t(), big(a[i * s.depth + k]).get_mpz_t(), static_cast<unsigned long>(b[k * s.n + j].value));
        }
        expected.push_back(residue(sum));
      }
    }
    check_product(s, a, b, expected);
  }
}

TEST_CASE("matmul of p - 1 everywhere counts the terms") {
  for (const Shape s : {Shape{7, 19, 4096}, Shape{7, 19, 12289}}) {
    const std::vector<FieldElement> a(static_cast<std::size_t>(s.m * s.depth), {kFieldPrime - 1});
    const std::vector<FieldElement> b(static_cast<std::size_t>(s.depth * s.n), {kFieldPrime - 1});
    check_product(s, a, b, std::vector<std::uint64_t>(static_cast<std::size_t>(s.m * s.n), static_cast<std::uint64_t>(s.depth)));
  }
}

namespace {

std::vector<std::uint64_t> pack(const prime_field::Kernel& kernel, std::uint64_t value, std::int64_t count) {
  if (kernel.packing == prime_field::Packing::words) return std::vector<std::uint64_t>(static_cast<std::size_t>(count), value);
  std::vector<std::uint64_t> result;
  const std::uint64_t low = value % (1 << 25);
  const std::uint64_t high = value >> 25;
  for (const std::uint64_t plane : {low, high, low + high}) result.insert(result.end(), static_cast<std::size_t>(count), plane);
  return result;
}

/// Aligned copy of a packed panel.
class Panel {
 public:
  explicit Panel(const std::vector<std::uint64_t>& words) : storage_(words.size() + 8) {
    void* place = storage_.data();
    std::size_t space = storage_.size() * sizeof(std::uint64_t);
    start_ = static_cast<std::uint64_t*>(std::align(64, words.size() * sizeof(std::uint64_t), place, space));
    std::copy(words.begin(), words.end(), start_);
  }
  std::uint64_t* data() { return start_; }

 private:
  std::vector<std::uint64_t> storage_;
  std::uint64_t* start_;
};

}  // namespace

TEST_CASE("kernels hold their stated number of terms at the largest operands") {
  std::vector<const prime_field::Kernel*> kernels{&prime_field::kPortableKernel};
  if (detected_simd_level() >= SimdLevel::avx2) kernels.push_back(&prime_field::kAvx2Kernel);
  if (detected_simd_level() >= SimdLevel::avx512) kernels.push_back(&prime_field::kAvx512Kernel);
  // Factors that maximise: the product; the sum of the limbs; the low 52 bits of the product, which are all ones.
  std::uint64_t a = 1;
  std::uint64_t b = 0;
  const std::uint64_t mask = (std::uint64_t{1} << 52) - 1;
  do {
    a += 2;
    std::uint64_t inverse_of_a = a;
    for (int step = 0; step < 6; ++step) inverse_of_a *= 2 - a * inverse_of_a;
    b = -inverse_of_a & mask;
  } while (b >= kFieldPrime);
  REQUIRE(((a * b) & mask) == mask);
  const std::uint64_t limbs = (std::uint64_t{1} << 50) - (std::uint64_t{1} << 25) - 1;
  const std::pair<std::uint64_t, std::uint64_t> worst[] = {{kFieldPrime - 1, kFieldPrime - 1}, {limbs, limbs}, {a, b}};
  for (const prime_field::Kernel* kernel : kernels) {
    REQUIRE(kernel->rows * kernel->columns <= prime_field::kMaxTile);
    for (const auto& [left, right] : worst) {
      Panel packed_a(pack(*kernel, left, kernel->rows * prime_field::kLazyTerms));
      Panel packed_b(pack(*kernel, right, kernel->columns * prime_field::kLazyTerms));
      Panel tile(std::vector<std::uint64_t>(prime_field::kMaxTile));
      kernel->multiply(prime_field::kLazyTerms, packed_a.data(), packed_b.data(), tile.data());
      const std::uint64_t expected = residue(big(left) * big(right) * static_cast<long>(prime_field::kLazyTerms));
      for (std::int64_t i = 0; i < kernel->rows * kernel->columns; ++i) REQUIRE(tile.data()[i] == expected);
    }
  }
}

TEST_CASE("matmul refuses impossible shapes") {
  FieldElement x[4];
  CHECK_THROWS_AS(matmul(-1, 1, 1, x, 1, x, 1, x, 1, false), Error);
  CHECK_THROWS_AS(matmul(1, 1, 2, x, 1, x, 1, x, 1, false), Error);
  CHECK_THROWS_AS(matmul(1, 2, 1, x, 1, x, 1, x, 2, false), Error);
  CHECK_THROWS_AS(matmul(1, 2, 1, x, 1, x, 2, x, 1, false), Error);
  CHECK_THROWS_AS(matmul_transposed(1, 1, 2, x, 2, x, 1, x, 1, false), Error);
}
