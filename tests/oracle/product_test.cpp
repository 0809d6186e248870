// Block products against Arb, and the cases in which they must be exact.
#include "oracle/product.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "scalar/ball.hpp"
#include "scalar/rounding.hpp"
#include "scalar/simd.hpp"

namespace equinorm::oracle {
namespace {

using scalar::Ball;

constexpr Index kDepth = 40, kColumns = 19;
constexpr int kBits = 1200;

struct Data {
  std::vector<double> rows;    ///< [kBlock][kDepth]
  std::vector<double> matrix;  ///< [kDepth][kColumns]
};

Data draw(std::uint64_t seed, const scalar::Format* format, bool heavy) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  const auto number = [&] {
    double x = normal(random);
    if (heavy) x *= std::ldexp(1.0, static_cast<int>(random() % 33) - 20);
    return format != nullptr ? scalar::round_to(*format, x) : x;
  };
  Data data;
  for (Index i = 0; i < kBlock * kDepth; ++i) data.rows.push_back(number());
  for (Index i = 0; i < kDepth * kColumns; ++i) data.matrix.push_back(number() / 4);
  return data;
}

Dense to_dense(const Data& data) {
  tensor::AnyTensor tensor(tensor::DType::f64, {kDepth, kColumns});
  tensor.write(0, tensor.size(), data.matrix.data());
  return read_matrix(tensor, 0, kDepth, kColumns, kColumns);
}

Rows to_rows(const Data& data) {
  Rows rows(kDepth, false);
  for (Index t = 0; t < kBlock; ++t) {
    for (Index m = 0; m < kDepth; ++m)
      rows.hi[static_cast<std::size_t>(m * kBlock + t)] = data.rows[static_cast<std::size_t>(t * kDepth + m)];
  }
  BoundedBlock squares;
  measure(rows, squares);
  return rows;
}

/// Largest (error, radius) over the block; the error must not exceed the radius anywhere.
void check(const Data& data, const Rows& got, double widest) {
  for (Index t = 0; t < kBlock; t += 5) {
    for (Index j = 0; j < kColumns; ++j) {
      Ball sum;
      for (Index m = 0; m < kDepth; ++m) {
        sum = scalar::add(sum,
                          scalar::mul(Ball::from_double(data.rows[static_cast<std::size_t>(t * kDepth + m)]),
                                      Ball::from_double(data.matrix[static_cast<std::size_t>(m * kColumns + j)]), kBits),
                          kBits);
      }
      const auto at = static_cast<std::size_t>(j * kBlock + t);
      const Ball value = scalar::add(Ball::from_double(got.hi[at]), Ball::from_double(got.lo.empty() ? 0 : got.lo[at]), kBits);
      const double error = std::fabs(scalar::enclosure(scalar::sub(sum, value, kBits)).value);
      if (!(error <= got.radius[t])) FAIL_CHECK("token " << t << " column " << j << " error " << error << " radius " << got.radius[t]);
    }
    if (!(got.radius[t] <= widest)) FAIL_CHECK("token " << t << " radius " << got.radius[t]);
  }
}

TEST_CASE("16-bit products are exact") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const scalar::Format& format = seed % 2 ? scalar::kBf16 : scalar::kFp16;
    INFO("seed " << seed << " " << scalar::to_string(format));
    const Data data = draw(seed, &format, false);
    const Matrix matrix(to_dense(data));
    const Rows rows = to_rows(data);
    const SlicedRows sliced = slice(rows);
    REQUIRE(sliced.usable);
    REQUIRE(matrix.sliced());
    CHECK(sliced.slices.size() == 1);
    Rows out;
    matrix.multiply(rows, sliced, out);
    check(data, out, 0x1p-1000);
  }
}

TEST_CASE("heavy tails, wide formats and unfit data are enclosed") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const scalar::Format* format = seed % 4 == 0   ? nullptr
                                   : seed % 4 == 1 ? &scalar::kBf16
                                   : seed % 4 == 2 ? &scalar::kFp16
                                                   : &scalar::kFp32;
    Data data = draw(seed, format, seed > 4);
    if (seed == 8) data.rows[7] = 0x1p-700;  // beyond the grids
    if (seed == 9) data.matrix[3] = 0x1p450;
    INFO("seed " << seed);
    const Matrix matrix(to_dense(data));
    const Rows rows = to_rows(data);
    Rows out;
    matrix.multiply(rows, slice(rows), out);
    check(data, out, seed == 9 ? 0x1p400 : 0x1p-60);
  }
}

TEST_CASE("a vector of pairs times a matrix is within project_error, cancellation or not") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Data data = draw(seed, nullptr, seed % 2 == 0);
    const Dense matrix = to_dense(data);
    std::mt19937_64 random(seed + 1000);
    std::vector<Enclosed> values;
    for (Index m = 0; m < kDepth; ++m) {
      const double hi = data.rows[static_cast<std::size_t>(m)];
      values.push_back({hi, std::ldexp(hi, -54) * (static_cast<double>(random() % 1001) / 1001 - 0.5), 0});
    }
    if (seed % 4 < 2) {  // the second half takes the first one back, nearly
      for (Index m = kDepth / 2; m < kDepth; ++m)
        values[static_cast<std::size_t>(m)] = neg<One>(values[static_cast<std::size_t>(m - kDepth / 2)]);
    }
    const Row row = make_row(values);
    const std::vector<Enclosed> got = times(row, matrix);
    INFO("seed " << seed);
    for (Index j = 0; j < kColumns; ++j) {
      Ball sum;
      for (Index m = 0; m < kDepth; ++m) {
        const Enclosed& x = values[static_cast<std::size_t>(m)];
        const Ball pair = scalar::add(Ball::from_double(x.hi), Ball::from_double(x.lo), kBits);
        sum = scalar::add(sum, scalar::mul(pair, Ball::from_double(data.matrix[static_cast<std::size_t>(m * kColumns + j)]), kBits), kBits);
      }
      const Enclosed& result = got[static_cast<std::size_t>(j)];
      const Ball value = scalar::add(Ball::from_double(result.hi), Ball::from_double(result.lo), kBits);
      CHECK(std::fabs(scalar::enclosure(scalar::sub(sum, value, kBits)).value) <= result.radius);
      CHECK(result.radius <= 0x1p-103 * row.norm * matrix.column_norms[static_cast<std::size_t>(j)]);
    }
  }
}

TEST_CASE("every SIMD level gives the same bits") {
  for (const bool heavy : {false, true}) {
    const Data data = draw(77, heavy ? nullptr : &scalar::kFp32, heavy);
    std::vector<Rows> results;
    for (int level = 0; level <= static_cast<int>(scalar::detected_simd_level()); ++level) {
      const scalar::ForcedSimdLevel forced(static_cast<scalar::SimdLevel>(level));
      const Matrix matrix(to_dense(data));
      const Rows rows = to_rows(data);
      matrix.multiply(rows, slice(rows), results.emplace_back());
      CHECK(results.back().hi == results.front().hi);
      CHECK(results.back().lo == results.front().lo);
      CHECK(std::equal(results.back().radius, results.back().radius + kBlock, results.front().radius));
    }
  }
}

}  // namespace
}  // namespace equinorm::oracle
