// Elementwise operations of the rounded arithmetics against MPFR.
#include "paths/rounded_arithmetic.hpp"

#include <mpfr.h>

#include <catch2/catch.hpp>

#include "scalar/rounding_oracle.hpp"

namespace equinorm::paths {
namespace {

namespace oracle = scalar::oracle;
using scalar::Format;

Plan plan_of(Format statistics, bool ftz = false) {
  Plan plan;
  plan.precision.statistics = statistics;
  plan.precision.accumulate = statistics == scalar::kFp64 ? scalar::kFp64 : scalar::kFp32;
  plan.precision.ftz = ftz;
  return plan;
}

double divide(Format format, double a, double b, bool ftz) {
  oracle::Number x(a), y(b);
  mpfr_div(x.get(), x.get(), y.get(), MPFR_RNDN);
  return oracle::round(format, x, ftz);
}

template <class Carrier>
void check_operations(Format format, Format operands, bool ftz, std::uint64_t seed) {
  const RoundedArithmetic<Carrier> ar(plan_of(format, ftz));
  oracle::Corners corners(seed);
  for (int trial = 0; trial < 6000; ++trial) {
    const auto a = static_cast<Carrier>(corners.value(operands, true)), b = static_cast<Carrier>(corners.value(operands, true));
    INFO(scalar::to_string(format) << (ftz ? " ftz" : "") << " carrier " << sizeof(Carrier) << " seed " << seed << ": " << a << ", " << b);
    REQUIRE(oracle::same(ar.mul(a, b), oracle::multiply(format, a, b, ftz)));
    REQUIRE(oracle::same(ar.add(a, b), oracle::add(format, a, b, ftz)));
    REQUIRE(oracle::same(ar.sub(a, b), oracle::add(format, a, -b, ftz)));
    REQUIRE(oracle::same(ar.div(a, b), divide(format, a, b, ftz)));
    REQUIRE(oracle::same(ar.join(a, b), oracle::add(plan_of(format).precision.accumulate, a, b, ftz)));
  }
}

TEST_CASE("elementwise operations are correctly rounded, operands of the format or wider") {
  std::uint64_t seed = 1;
  for (const bool ftz : {false, true}) {
    for (const Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32}) {
      for (const Format operands : {format, scalar::kFp32}) {
        check_operations<float>(format, operands, ftz, seed++);
        check_operations<double>(format, operands, ftz, seed++);
      }
    }
    check_operations<double>(scalar::kFp64, scalar::kFp64, ftz, seed++);
  }
}

/// |got - f(a)| in units in the last place of `format` at f(a), by MPFR; 0 when both leave the range alike.
double error_in_ulps(Format format, double got, double a, int (*f)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t)) {
  mpfr_t exact;
  mpfr_init2(exact, 300);
  mpfr_set_d(exact, a, MPFR_RNDN);
  f(exact, exact, MPFR_RNDN);
  oracle::Number nearest;
  mpfr_set(nearest.get(), exact, MPFR_RNDN);
  double error = 0;
  if (!oracle::same(oracle::round(format, nearest, false), got)) {
    const scalar::FormatLimits range = scalar::limits(format);
    const long last_bit = std::max<long>(mpfr_get_exp(exact) - format.precision, range.min_exponent - (format.precision - 1));
    mpfr_sub_d(exact, exact, got, MPFR_RNDN);
    mpfr_mul_2si(exact, exact, -last_bit, MPFR_RNDN);
    error = std::fabs(mpfr_get_d(exact, MPFR_RNDN));
    if (!std::isfinite(got)) error = HUGE_VAL;
  }
  mpfr_clear(exact);
  return error;
}

int logistic(mpfr_ptr out, mpfr_srcptr x, mpfr_rnd_t rounding) {
  mpfr_neg(out, x, rounding);
  mpfr_exp(out, out, rounding);
  mpfr_add_ui(out, out, 1, rounding);
  return mpfr_ui_div(out, 1, out, rounding);
}

template <class Carrier>
void check_functions(Format format, double allowed, std::uint64_t seed) {
  const RoundedArithmetic<Carrier> ar(plan_of(format));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 4000; ++trial) {
    const double spread = std::ldexp(1.0, static_cast<int>(random() % 13) - 6);
    const double drawn = spread * (static_cast<double>(random() >> 11) * 0x1p-52 - 1);
    const auto x = static_cast<Carrier>(oracle::round(format, drawn)), positive = std::fabs(x);
    if (positive == 0) continue;
    INFO(scalar::to_string(format) << " carrier " << sizeof(Carrier) << " seed " << seed << ": x = " << x);
    REQUIRE(error_in_ulps(format, ar.exp(x), x, mpfr_exp) <= allowed);
    REQUIRE(error_in_ulps(format, ar.log(positive), positive, mpfr_log) <= allowed);
    REQUIRE(error_in_ulps(format, ar.rsqrt(positive), positive, mpfr_rec_sqrt) <= allowed);
    REQUIRE(error_in_ulps(format, ar.tanh(x), x, mpfr_tanh) <= allowed);
    REQUIRE(error_in_ulps(format, ar.sigmoid(x), x, logistic) <= allowed);
  }
  REQUIRE(ar.exp(Carrier{0}) == 1);
}

TEST_CASE("functions stay within the stated units in the last place") {
  for (const Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32}) {
    check_functions<float>(format, 0.501, 11);
    check_functions<double>(format, 0.501, 12);
  }
  check_functions<double>(scalar::kFp64, 2, 13);
}

TEST_CASE("store rounds the tensors that the plan says, and no others") {
  const float x = 1.2345678F;
  for (const Format narrow : {scalar::kFp16, scalar::kBf16}) {
    for (std::size_t chosen = 0; chosen < problem::kStoredNames.size(); ++chosen) {
      Plan plan = plan_of(scalar::kFp32);
      plan.precision.stored.fill(scalar::kFp32);
      plan.precision.stored[chosen] = narrow;
      const RoundedArithmetic<float> single(plan);
      const RoundedArithmetic<double> wide(plan);
      for (std::size_t i = 0; i < problem::kStoredNames.size(); ++i) {
        INFO(problem::kStoredNames[i] << ", narrow: " << problem::kStoredNames[chosen]);
        const double expected = i == chosen ? oracle::round(narrow, x) : double{x};
        CHECK(single.store(static_cast<Stored>(i), x) == expected);
        CHECK(wide.store(static_cast<Stored>(i), double{x}) == expected);
      }
    }
  }
}

TEST_CASE("inputs are rounded to storage, tables are not") {
  const double x = 0.1F;
  for (const Format storage : {scalar::kFp16, scalar::kBf16, scalar::kFp32}) {
    Plan plan = plan_of(scalar::kBf16);
    plan.precision.storage = storage;
    CHECK(RoundedArithmetic<float>(plan).input(x) == oracle::round(storage, x));
    CHECK(RoundedArithmetic<double>(plan).input(x) == oracle::round(storage, x));
    CHECK(RoundedArithmetic<float>(plan).table(x) == x);
    CHECK(RoundedArithmetic<double>(plan).table(x) == x);
    // Flushing belongs to results; a subnormal entry of a table is read as it is.
    plan.precision.ftz = true;
    CHECK(RoundedArithmetic<float>(plan).table(0x1p-140) == 0x1p-140F);
    CHECK(RoundedArithmetic<double>(plan).table(0x1p-140) == 0x1p-140);
  }
}

TEST_CASE("constants are rounded once, and the scale is the correctly rounded one") {
  // 1 + 2^-24 + 2^-60: to binary64 first it becomes the tie 1 + 2^-24, which then goes to 1.
  const scalar::Decimal above_tie("1.000000059604644776257857600000");
  CHECK(RoundedArithmetic<float>(plan_of(scalar::kFp32)).constant(above_tie) == 1 + 0x1p-23F);
  CHECK(RoundedArithmetic<double>(plan_of(scalar::kFp64)).constant(scalar::Decimal("0.1")) == 0.1);
  problem::ScaleSpec scale;
  scale.inverse_sqrt_of = 192;
  CHECK(RoundedArithmetic<float>(plan_of(scalar::kFp32)).scale(scale) == static_cast<float>(1 / std::sqrt(192.0)));
  CHECK(RoundedArithmetic<float>(plan_of(scalar::kBf16)).scale(scale) == 0.072265625F);
}

template <class Carrier>
void check_tensor_core_order() {
  Plan plan = plan_of(scalar::kFp32);
  plan.precision.storage = scalar::kBf16;
  plan.precision.order = scalar::parse_order("tensor-core:sm_80");
  Plan sequential = plan;
  sequential.precision.order = scalar::parse_order("sequential");
  const RoundedArithmetic<Carrier> ar(plan), chain(sequential);
  // The unit cuts 2^-25 away beside 1; the chain has added seven of them before it meets 1.
  const Carrier x[] = {0x1p-25, 0x1p-25, 0x1p-25, 0x1p-25, 0x1p-25, 0x1p-25, 0x1p-25, 1}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
  Carrier on_unit = 0, chained = 0;
  ar.matmul(1, 1, 8, x, 8, ones, 1, &on_unit, 1, false);
  chain.matmul(1, 1, 8, x, 8, ones, 1, &chained, 1, false);
  CHECK(on_unit == 1);
  CHECK(chained == 1 + 0x1p-22);
  // Units multiply; they neither add nor square for a norm.
  CHECK(ar.sum(x, 8) == 1 + 0x1p-22);
  const Carrier y[] = {0x1p-12, 0x1p-12, 0x1p-12, 1};
  CHECK(ar.sum_of_squares(y, 4) == 1 + 0x1p-22);
}

TEST_CASE("a tensor-core order is for matrix products; sums run sequentially") {
  check_tensor_core_order<float>();
  check_tensor_core_order<double>();
}

}  // namespace
}  // namespace equinorm::paths
