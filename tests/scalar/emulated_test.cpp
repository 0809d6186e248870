#include "scalar/emulated.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "scalar/emulated_oracle.hpp"
#include "scalar/error.hpp"
#include "scalar/rounding.hpp"
#include "scalar/simd.hpp"

using namespace equinorm;
using namespace equinorm::scalar;
using namespace equinorm::scalar::oracle;

namespace {

constexpr std::uint64_t kSeed = 977;

const std::vector<const char*> kOrders{"any", "sequential", "pairwise", "blocked:1", "blocked:4", "blocked:7", "blocked:1000"};

}  // namespace

TEMPLATE_TEST_CASE("matmul is the slow MPFR loop: format x order x fused x ftz x operands x SIMD level", "", float, double) {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed);
  int round = 0;
  for (const Format format : formats<TestType>()) {
    for (const char* order : kOrders) {
      for (const bool fused : {true, false}) {
        for (const Operands kind : {Operands::gentle, Operands::corners, Operands::specials, Operands::wide}) {
          ++round;
          const Contraction how{format, fused, parse_order(order), round % 3 == 0};
          const bool add = round % 2 == 0;
          Problem<TestType> problem(1 + corners.below(6), 1 + corners.below(40), 1 + corners.below(20));
          problem.fill(format, kind, corners);
          const auto expected = problem.expected(how, add);
          for (const SimdLevel level : levels()) {
            const ForcedSimdLevel forced(level);
            CAPTURE(to_string(format), order, fused, how.ftz, add, static_cast<int>(kind), to_string(level), problem.m, problem.n,
                    problem.depth);
            CHECK(differences(problem.computed(how, add), expected) == 0);
            CHECK(differences(problem.computed_transposed(how, add), expected) == 0);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("one step of every operation class in the vector kernels agrees with MPFR", "", float, double) {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed + 1);
  for (const Format format : formats<TestType>()) {
    for (const bool fused : {true, false}) {
      for (int trial = 0; trial < 160; ++trial) {
        const Contraction how{format, fused, parse_order("sequential"), trial % 4 == 3};
        const Operands kind = trial % 3 == 0 ? Operands::wide : trial % 3 == 1 ? Operands::corners : Operands::gentle;
        Problem<TestType> problem(1, 200, 1);
        problem.fill(format, kind, corners);
        for (std::size_t j = 0; j < 200; ++j) {
          // Sums at and beside a tie: the product is about half a last place of what it is added to, or nearly cancels it.
          const double product = static_cast<double>(problem.a[0]) * problem.b[j];
          const int size = std::isfinite(product) ? std::ilogb(std::fabs(product) + 0x1p-140) : 0;
          const int shift = static_cast<int>(corners.below(3)) - 1 + format.precision;
          if (j % 4 == 1) problem.out[j] = static_cast<TestType>(round_to(format, std::ldexp(product, shift)));
          if (j % 4 == 2) problem.out[j] = static_cast<TestType>(round_to(format, -product));
          if (j % 4 == 3) problem.out[j] = static_cast<TestType>(round_to(format, std::ldexp(corners.significand(format), size + shift)));
        }
        const auto expected = problem.expected(how, true);
        for (const SimdLevel level : levels()) {
          const ForcedSimdLevel forced(level);
          CAPTURE(to_string(format), fused, trial, to_string(level));
          CHECK(differences(problem.computed(how, true), expected) == 0);
        }
      }
    }
  }
}

TEST_CASE("a fused 16-bit step is not a float fma rounded again") {
  // 1025 + (1 - 2^-20) / 2 lies below the tie 1025.5, which is what a float makes of it.
  const float a = 0.5f * (1 + 0x1p-10f), b = 1 - 0x1p-10f;
  const std::vector<float> expected{1025};
  CHECK(round_to(kFp16, std::fma(a, b, 1025.0f)) == 1026);
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    std::vector<float> out{1025};
    matmul({kFp16, true, {}, false}, 1, 1, 1, &a, 1, &b, 1, out.data(), 1, true);
    CHECK(out == expected);
  }
}

TEMPLATE_TEST_CASE("what out holds may be wider than the format", "", float, double) {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed + 5);
  for (const Format format : formats<TestType>()) {
    for (const bool fused : {true, false}) {
      for (const char* order : kOrders) {
        Problem<TestType> problem(3, 50, 3);
        problem.fill(format, Operands::gentle, corners);
        for (std::size_t j = 0; j < problem.out.size(); ++j) {  // just beside a tie of the format
          const double tie = corners.significand(format) + std::ldexp(1.0, -format.precision);
          problem.out[j] = std::nextafter(static_cast<TestType>(tie), static_cast<TestType>(corners.sign() * 4));
        }
        for (TestType& x : problem.b) x = static_cast<TestType>(x * 0x1p-20);
        const Contraction how{format, fused, parse_order(order), false};
        const auto expected = problem.expected(how, true);
        for (const SimdLevel level : levels()) {
          const ForcedSimdLevel forced(level);
          CAPTURE(to_string(format), fused, order, to_string(level));
          CHECK(differences(problem.computed(how, true), expected) == 0);
        }
      }
    }
  }
}

TEST_CASE("a product that no double can hold still decides a tie") {
  for (const Format format : {kFp16, kBf16, kFp32}) {
    const double tie = 1 + std::ldexp(1.0, -format.precision);
    for (const double scale : {0x1p-450, 0x1p-500, 0x1p-537, 0x1p-600, 0x1p-1022}) {
      const double a = scale, b = 1.5 * scale;
      const std::vector<double> up{round_to(format, 1 + std::ldexp(2.0, -format.precision))}, even{1.0};
      CAPTURE(to_string(format), scale);
      CHECK(rounded_fma(format, a, b, tie) == up[0]);
      CHECK(rounded_fma(format, a, -b, tie) == even[0]);
      CHECK(rounded_fma(format, a, b, -tie) == -even[0]);
      for (const SimdLevel level : levels()) {
        const ForcedSimdLevel forced(level);
        std::vector<double> out{tie};
        matmul({format, true, {}, false}, 1, 1, 1, &a, 1, &b, 1, out.data(), 1, true);
        CHECK(out == up);
      }
    }
  }
}

TEST_CASE("fused, order and format each matter") {
  oracle::Corners corners(kSeed + 2);
  Problem<float> problem(8, 64, 100);
  problem.fill(kBf16, Operands::gentle, corners);
  const Contraction base{kBf16, true, parse_order("sequential"), false};
  const auto reference = problem.computed(base, false);
  for (const Contraction& other :
       {Contraction{kBf16, false, base.order, false}, Contraction{kFp32, true, base.order, false},
        Contraction{kBf16, true, parse_order("pairwise"), false}, Contraction{kBf16, true, parse_order("blocked:8"), false}}) {
    CHECK(differences(problem.computed(other, false), reference) > 100);
  }
}

TEMPLATE_TEST_CASE("all SIMD levels give the same bits on every shape", "", float, double) {
  CAPTURE(kSeed);
  oracle::Corners corners(kSeed + 3);
  const std::vector<std::vector<std::int64_t>> shapes{{1, 1, 1},   {1, 300, 65},  {300, 1, 65},  {5, 5, 33},
                                                      {4, 64, 64}, {13, 97, 130}, {97, 13, 130}, {64, 33, 7}};
  for (const auto& shape : shapes) {
    for (const Format format : formats<TestType>()) {
      for (const char* order : kOrders) {
        for (const Operands kind : {Operands::gentle, Operands::specials}) {
          Problem<TestType> problem(shape[0], shape[1], shape[2]);
          problem.fill(format, kind, corners);
          const Contraction how{format, corners.below(2) == 0, parse_order(order), corners.below(2) == 0};
          const bool add = corners.below(2) == 0;
          std::vector<std::vector<TestType>> results;
          for (const SimdLevel level : levels()) {
            const ForcedSimdLevel forced(level);
            results.push_back(problem.computed(how, add));
          }
          CAPTURE(to_string(format), order, how.fused, how.ftz, add, shape, static_cast<int>(kind));
          for (const auto& result : results) CHECK(identical(result, results.front()));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("dot and sum are one element of a product", "", float, double) {
  oracle::Corners corners(kSeed + 4);
  const TestType one = 1;
  for (const Format format : formats<TestType>()) {
    for (const char* order : kOrders) {
      for (const Operands kind : {Operands::gentle, Operands::specials, Operands::wide}) {
        for (const std::int64_t n : {0, 1, 2, 31, 64, 100}) {
          const Contraction how{format, corners.below(2) == 0, parse_order(order), corners.below(2) == 0};
          CAPTURE(to_string(format), order, how.fused, how.ftz, static_cast<int>(kind), n);
          Problem<TestType> problem(1, 3, n);
          problem.fill(format, kind, corners);
          TestType product = 0;
          matmul(how, 1, 1, n, problem.a.data(), problem.lda, problem.b.data(), problem.ldb, &product, 1, false);
          CHECK(same(dot(how, n, problem.a.data(), 1, problem.b.data(), problem.ldb), product));
          const std::vector<TestType> ones(static_cast<std::size_t>(n) + 1, one);
          matmul(how, 1, 1, n, ones.data(), 1, problem.b.data(), problem.ldb, &product, 1, false);
          CHECK(same(sum(how, n, problem.b.data(), problem.ldb), product));
        }
      }
    }
  }
}

TEST_CASE("NaN and infinity go through as in IEEE 754, and NaN comes out in one form") {
  const float inf = HUGE_VALF;
  const float odd_nan = std::bit_cast<float>(0xff812345u);
  const float full_nan = std::bit_cast<float>(0x7fffffffu);  // rounding its bits like a number's would carry into the sign
  for (const SimdLevel level : levels()) {
    const ForcedSimdLevel forced(level);
    for (const Format format : {kFp16, kBf16, kFp32}) {
      for (const char* order : kOrders) {
        CAPTURE(to_string(level), to_string(format), order);
        const Contraction how{format, true, parse_order(order), false};
        const auto product = [&](std::vector<float> x, std::vector<float> y) {
          float r = 0;
          matmul(how, 1, 1, 2, x.data(), 2, y.data(), 1, &r, 1, false);
          return std::bit_cast<std::uint32_t>(r);
        };
        CHECK(product({inf, 1}, {0, 1}) == 0x7fc00000u);
        CHECK(product({inf, -inf}, {1, 1}) == 0x7fc00000u);
        CHECK(product({odd_nan, 1}, {1, 1}) == 0x7fc00000u);
        CHECK(product({1, 1}, {odd_nan, -odd_nan}) == 0x7fc00000u);
        CHECK(product({full_nan, 1}, {1, 1}) == 0x7fc00000u);
        CHECK(product({1, 1}, {1, -full_nan}) == 0x7fc00000u);
        CHECK(product({-inf, 1}, {1, 1}) == 0xff800000u);
        CHECK(product({-0.0f, -0.0f}, {1, 1}) == 0x80000000u);
        CHECK(product({-1, 1}, {1, 1}) == 0u);
      }
    }
  }
}

TEST_CASE("products without terms, and what matmul refuses") {
  std::vector<float> out{1, -2};
  const float x = 1;
  const auto run = [&](const Contraction& how, std::int64_t m, std::int64_t depth, bool add) {
    matmul(how, m, 2, depth, &x, 1, out.data(), 2, out.data(), 2, add);
  };
  run({}, 1, 0, true);
  CHECK(out == std::vector<float>{1, -2});
  run({}, 1, 0, false);
  CHECK(identical(out, std::vector<float>{0, 0}));
  run({}, 0, 5, false);
  CHECK_THROWS_AS(run({kFp64, true, {}, false}, 1, 1, false), Error);
  CHECK_THROWS_AS(run({parse_format("real:24"), true, {}, false}, 1, 1, false), Error);
  CHECK_THROWS_WITH(run({kBf16, true, parse_order("tensor-core:sm_90"), false}, 1, 1, false), Catch::Contains("tensor-core:sm_90"));
  CHECK_THROWS_AS(run({kFp32, true, {SumOrder::Kind::blocked, 0, {}}, false}, 1, 1, false), Error);
  CHECK_THROWS_AS(run({}, -1, 1, false), Error);
  CHECK_THROWS_AS(dot({}, -1, &x, 1, &x, 1), Error);
}
