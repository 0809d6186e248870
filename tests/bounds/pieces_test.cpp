// The pieces of the bounds against brute force: roundings, accumulations, statistics.
#include <catch2/catch.hpp>
#include <cmath>

#include "bounds/accumulation.hpp"
#include "bounds/statistic.hpp"
#include "reference/dice.hpp"
#include "scalar/emulated.hpp"
#include "scalar/error.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::bounds {
namespace {

using scalar::Format;
using scalar::SumOrder;

TEST_CASE("half an ulp of an upper bound covers every rounding below it, and is attained") {
  reference::Dice dice(5);
  for (const Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32}) {
    for (const bool ftz : {false, true}) {
      const Rounding rounding(format, ftz);
      const scalar::FormatLimits limits = scalar::limits(format);
      double attained = 0;
      for (int n = 0; n < 200000; ++n) {
        const double exponent = static_cast<double>(dice.between(limits.min_exponent - format.precision, limits.max_exponent - 1));
        const double z = std::ldexp(1 + std::fabs(dice.small_number()), static_cast<int>(exponent));
        const double magnitude = z * (1 + std::fabs(dice.small_number()));
        const double error = std::fabs(scalar::round_to(format, z, ftz) - z);
        REQUIRE(error <= rounding.half_ulp(magnitude));
        REQUIRE(error <= rounding.relative(z) + rounding.product_underflow());
        attained = std::fmax(attained, error / rounding.half_ulp(z));
      }
      CHECK(attained > 0.9);
      CHECK(rounding.half_ulp(2 * limits.largest) == kInfinity);
    }
  }
}

TEST_CASE("no dot product is beyond its accumulation bound") {
  reference::Dice dice(11);
  double worst = 0;
  for (int n = 0; n < 4000; ++n) {
    const auto length = dice.between(1, 70);
    const Format format = dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32});
    const scalar::Contraction how{
        format,
        dice.one_in(2),
        {dice.one_of({SumOrder::Kind::sequential, SumOrder::Kind::pairwise, SumOrder::Kind::blocked}), dice.between(1, 9), {}},
        dice.one_in(3),
        {}};
    std::vector<double> x, y;
    double sum = 0, absolute = 0;
    const int scale = static_cast<int>(dice.between(-20, 3));
    for (std::int64_t i = 0; i < length; ++i) {
      x.push_back(scalar::round_to(format, std::ldexp(dice.small_number(), scale)));
      y.push_back(scalar::round_to(format, dice.small_number()));
      const double product = x.back() * y.back();
      sum += product, absolute += std::fabs(product);
    }
    const double got = scalar::dot(how, length, x.data(), 1, y.data(), 1);
    const Accumulation bound = accumulation({Rounding(format, how.ftz), how.order, how.fused}, length);
    const double allowed = bound.factor * absolute + bound.underflow + 0x1p-45 * absolute;
    REQUIRE(std::fabs(got - sum) <= allowed);
    worst = std::fmax(worst, std::fabs(got - sum) / allowed);
  }
  CHECK(worst > 0.5);
}

TEST_CASE("the height of an order, and no bound without one") {
  CHECK(rounding_height({SumOrder::Kind::sequential, 0, {}}, 512) == 512);
  CHECK(rounding_height({SumOrder::Kind::any, 0, {}}, 512) == 512);
  CHECK(rounding_height({SumOrder::Kind::pairwise, 0, {}}, 512) == 10);
  CHECK(rounding_height({SumOrder::Kind::pairwise, 0, {}}, 513) == 11);
  CHECK(rounding_height({SumOrder::Kind::pairwise, 0, {}}, 1) == 1);
  CHECK(rounding_height({SumOrder::Kind::blocked, 16, {}}, 512) == 47);
  CHECK(rounding_height({SumOrder::Kind::blocked, 16, {}}, 10) == 10);
  CHECK_THROWS_AS(rounding_height({SumOrder::Kind::tensor_core, 0, "sm_90"}, 8), Error);
}

TEST_CASE("a statistic that may overflow or vanish has no bound") {
  const auto rho = [](Format format, double x, double radius, double eps) {
    SquareSums sums;
    for (int i = 0; i < 128; ++i) sums.add(x, radius);
    return statistic({{Rounding(format, false), {}, true}, 1.0 / 128, eps, 4 * std::ldexp(1.0, -format.precision)}, sums).rho;
  };
  CHECK(rho(scalar::kFp32, 1, 0, 1e-6) < 1e-4);
  CHECK(rho(scalar::kFp16, 20, 0, 1e-6) < 1);
  CHECK(rho(scalar::kFp16, 23, 0, 1e-6) == kInfinity);  // the sum of squares overflows at RMS 22.6
  CHECK(rho(scalar::kFp32, 1, 2, 0) == kInfinity);      // the vector may be 0, and so may S
  CHECK(rho(scalar::kFp32, 1, 2, 1e-2) < kInfinity);    // eps keeps S away from 0
}

}  // namespace
}  // namespace equinorm::bounds
