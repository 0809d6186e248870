// Measured errors: what counts as an error, what never passes, and in which units.
#include "verdict/measure.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "scalar/error.hpp"

namespace equinorm::verdict {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor<double> tensor_of(const tensor::Shape& shape, const std::vector<double>& values) {
  Tensor<double> result(shape);
  REQUIRE(result.size() == static_cast<Index>(values.size()));
  for (Index i = 0; i < result.size(); ++i) result[i] = values[static_cast<std::size_t>(i)];
  return result;
}

ReferenceTensor exact_of(const tensor::Shape& shape, const std::vector<double>& values, std::vector<double> low = {}) {
  low.resize(values.size());
  return {tensor_of(shape, values), tensor_of(shape, low), {}};
}

ErrorStatistics measure_list(const std::vector<double>& got, const std::vector<double>& expected, std::vector<double> low = {}) {
  const tensor::Shape shape{static_cast<Index>(got.size())};
  return measure(tensor_of(shape, got), exact_of(shape, expected, std::move(low)), scalar::kFp32);
}

TEST_CASE("NaN and infinities never pass as numbers") {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    const ErrorStatistics result = measure_list({1, bad, 3}, {1, 2, 3});
    CHECK(result.elements == 3);
    CHECK(result.nonfinite == 1);
    CHECK(result.max_abs == 0);
    CHECK(result.worst == std::vector<Index>{1});
  }
  // Nothing is near an exact -inf but -inf, nor near a reference that is no number.
  CHECK(measure_list({-1e308}, {-kInfinity}).nonfinite == 1);
  CHECK(measure_list({kInfinity}, {-kInfinity}).nonfinite == 1);
  CHECK(measure_list({kNan}, {-kInfinity}).nonfinite == 1);
  CHECK(measure_list({kNan}, {kNan}).nonfinite == 1);
  CHECK(measure_list({1}, {kNan}).nonfinite == 1);
  CHECK(measure_list({1}, {1}, {kNan}).nonfinite == 1);
}

TEST_CASE("equal infinities compare equal") {
  const ErrorStatistics result = measure_list({-kInfinity, 1, kInfinity}, {-kInfinity, 1.5, kInfinity});
  CHECK(result.nonfinite == 0);
  CHECK(result.max_abs == 0.5);
  CHECK(result.worst == std::vector<Index>{1});
  CHECK(measure_list({-kInfinity}, {-kInfinity}).worst.empty());
}

TEST_CASE("errors: absolute, relative, normwise, and where") {
  const tensor::Shape shape{2, 1, 3};
  const ErrorStatistics result =
      measure(tensor_of(shape, {1, 2, 3, 4.5, 0.125, -8}), exact_of(shape, {1, 2, 3, 4, 0, -8.25}), scalar::kBf16);
  CHECK(result.elements == 6);
  CHECK(result.max_abs == 0.5);
  CHECK(result.worst == std::vector<Index>{1, 0, 0});
  CHECK(result.max_relative == 0.125);  // 0.5 of 4; the exact 0 has no relative error
  CHECK(result.normwise == 0.5 / 8.25);
  // 0.125 in units of the subnormals' spacing at an exact 0: 2^-133 for bf16.
  CHECK(result.max_ulp == std::ldexp(1.0, 130));
}

TEST_CASE("the reference's low part counts") {
  CHECK(measure_list({1}, {1}, {0x1p-60}).max_abs == 0x1p-60);
  CHECK(measure_list({1 + 0x1p-52}, {1}, {0x1p-54}).max_abs == 0x1p-52 - 0x1p-54);
  CHECK(measure_list({1}, {1}, {-0x1p-60}).max_abs == 0x1p-60);
}

TEST_CASE("units in the last place at powers of two, subnormals and zero") {
  for (const scalar::Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp64}) {
    INFO(scalar::to_string(format));
    const scalar::FormatLimits range = scalar::limits(format);
    const double unit_at_one = std::ldexp(1.0, 1 - format.precision);
    CHECK(unit_in_last_place(format, 1) == unit_at_one);
    CHECK(unit_in_last_place(format, -1) == unit_at_one);
    CHECK(unit_in_last_place(format, std::nextafter(1.0, 0.0)) == unit_at_one / 2);
    CHECK(unit_in_last_place(format, std::nextafter(2.0, 0.0)) == unit_at_one);
    CHECK(unit_in_last_place(format, 2) == 2 * unit_at_one);
    CHECK(unit_in_last_place(format, range.smallest_normal) == range.smallest_subnormal);
    CHECK(unit_in_last_place(format, range.smallest_subnormal) == range.smallest_subnormal);
    CHECK(unit_in_last_place(format, 0) == range.smallest_subnormal);
    CHECK(unit_in_last_place(format, range.largest) == std::ldexp(unit_at_one, range.max_exponent));
  }
  const scalar::Format real{scalar::FormatKind::real, 20};
  CHECK(unit_in_last_place(real, 1) == 0x1p-19);
  CHECK(unit_in_last_place(real, 0x1p-300) == 0x1p-319);
  CHECK(unit_in_last_place(real, 0) == 0);
}

TEST_CASE("shapes that differ are refused, also where the sizes agree") {
  CHECK_THROWS_AS(measure(Tensor<double>({2, 3}), exact_of({3, 2}, std::vector<double>(6)), scalar::kFp32), Error);
  CHECK_THROWS_AS(measure(Tensor<double>({5}), exact_of({6}, std::vector<double>(6)), scalar::kFp32), Error);
  CHECK_THROWS_AS(measure_difference(Tensor<double>({6}), Tensor<double>({7}), exact_of({6}, std::vector<double>(6))), Error);
  CHECK_THROWS_AS(measure_difference(Tensor<double>({6}), Tensor<double>({6}), exact_of({5}, std::vector<double>(5))), Error);
}

TEST_CASE("differences of two forms, where both are numbers") {
  const tensor::Shape shape{4};
  const auto difference = [&](const std::vector<double>& a, const std::vector<double>& b) {
    return measure_difference(tensor_of(shape, a), tensor_of(shape, b), exact_of(shape, {1, -4, 2, -kInfinity}));
  };
  CHECK(difference({1, -4, 2.5, -kInfinity}, {1, -4, 2, -kInfinity}).max_abs == 0.5);
  CHECK(difference({1, -4, 2.5, -kInfinity}, {1, -4, 2, -kInfinity}).normwise == 0.125);
  const DifferenceStatistics partial = difference({1, kNan, 2, -kInfinity}, {1.25, -4, kInfinity, -kInfinity});
  CHECK(partial.max_abs == 0.25);
  CHECK(partial.nonfinite == 2);  // equal infinities are not counted
  CHECK(difference({1, -4, 2, -kInfinity}, {1, -4, 2, -kInfinity}).max_abs == 0);
}

}  // namespace
}  // namespace equinorm::verdict
