#include "oracle/rows.hpp"

#include <algorithm>
#include <cmath>

namespace equinorm::oracle {

double norm_from_squares(double sum_of_squares) { return std::sqrt(std::fabs(sum_of_squares)) * (1 + 0x1p-30) + 0x1p-500; }

Row make_row(const std::vector<Enclosed>& values) {
  Row row;
  double squares = 0, sum = 0, largest = 0;
  for (const Enclosed& x : values) {
    row.hi.push_back(x.hi);
    row.lo.push_back(x.lo);
    squares += x.hi * x.hi;
    sum += x.radius;
    largest = x.radius <= largest ? largest : x.radius;  // keeps a NaN
  }
  // n <= 2^24 roundings of positive terms lose less than 2^-28. The 2-norm is at most the 1-norm and sqrt(n) times the largest.
  row.norm = std::sqrt(squares) * (1 + 0x1p-27) + 0x1p-500;
  const double by_largest = largest * std::sqrt(static_cast<double>(values.size()));
  row.radius = (by_largest < sum ? by_largest : sum) * (1 + 0x1p-27);
  return row;
}

void Rows::reset(Index dims) {
  const auto size = static_cast<std::size_t>((dims + 15) / 16 * 16 * kBlock);
  if (hi.size() != size || lo.size() != size) {
    hi.assign(size, 0);
    lo.assign(size, 0);
  } else {
    for (Index group = 0; group < kBlock / kGroup; ++group) {
      for (Index j = 0; low[group] && j < dim; ++j) std::fill_n(lo.begin() + j * kBlock + group * kGroup, kGroup, 0.0);
    }
  }
  std::fill_n(low, kBlock / kGroup, false);
  dim = dims;
}

double dot_error(Index n, double norm_a, double radius_a, double norm_b, double radius_b) {
  return (pair_dot_error(n, norm_a * norm_b) + norm_a * radius_b + radius_a * norm_b + radius_a * radius_b + kTiny) * kRoundUp;
}

void measure(Rows& rows, BoundedBlock& squares) {
  kernels().squares(rows.dim, rows.hi.data(), rows.lo.data(), rows.low, squares.hi, squares.lo);
  for (Index t = 0; t < kBlock; ++t) {
    rows.norm[t] = norm_from_squares(squares.hi[t]);
    squares.radius[t] = dot_error(rows.dim, rows.norm[t], rows.radius[t], rows.norm[t], rows.radius[t]);
  }
}

void dots(const Rows& rows, const Row& vector, BoundedBlock& result) {
  kernels().dots(rows.dim, rows.hi.data(), rows.lo.data(), rows.low, vector.hi.data(), vector.lo.data(), result.hi, result.lo);
  for (Index t = 0; t < kBlock; ++t) result.radius[t] = dot_error(rows.dim, rows.norm[t], rows.radius[t], vector.norm, vector.radius);
}

namespace {

void fill_norms(Dense& matrix) {
  std::vector<double> squares(static_cast<std::size_t>(matrix.columns));
  for (Index i = 0; i < matrix.rows; ++i) {
    for (Index j = 0; j < matrix.columns; ++j) {
      const double value = matrix.values[static_cast<std::size_t>(i * matrix.stride + j)];
      squares[static_cast<std::size_t>(j)] += value * value;
    }
  }
  matrix.column_norms.resize(squares.size());
  std::transform(squares.begin(), squares.end(), matrix.column_norms.begin(), norm_from_squares);
}

Dense empty_matrix(Index rows, Index columns) {
  const Index stride = (columns + 7) / 8 * 8;
  return {rows, columns, stride, std::vector<double>(static_cast<std::size_t>(rows * stride)), {}};
}

}  // namespace

Dense read_matrix(const tensor::AnyTensor& tensor, Index first, Index rows, Index columns, Index pitch) {
  Dense matrix = empty_matrix(rows, columns);
  for (Index i = 0; i < rows; ++i) tensor.read(first + i * pitch, columns, matrix.values.data() + i * matrix.stride);
  fill_norms(matrix);
  return matrix;
}

Dense from_columns(Index rows, const std::vector<std::vector<double>>& columns) {
  Dense matrix = empty_matrix(rows, static_cast<Index>(columns.size()));
  for (Index j = 0; j < matrix.columns; ++j) {
    for (Index i = 0; i < rows; ++i) {
      matrix.values[static_cast<std::size_t>(i * matrix.stride + j)] = columns[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)];
    }
  }
  fill_norms(matrix);
  return matrix;
}

Dense transposed(const Dense& matrix) {
  Dense result = empty_matrix(matrix.columns, matrix.rows);
  for (Index i = 0; i < matrix.rows; ++i) {
    for (Index j = 0; j < matrix.columns; ++j) {
      result.values[static_cast<std::size_t>(j * result.stride + i)] = matrix.values[static_cast<std::size_t>(i * matrix.stride + j)];
    }
  }
  fill_norms(result);
  return result;
}

std::vector<Enclosed> times(const Row& vector, const Dense& matrix) {
  std::vector<double> hi(static_cast<std::size_t>(matrix.stride)), lo(hi.size());
  kernels().project(matrix.rows, vector.hi.data(), vector.lo.data(), matrix.values.data(), matrix.stride, matrix.stride, hi.data(),
                    lo.data());
  std::vector<Enclosed> result(static_cast<std::size_t>(matrix.columns));
  for (std::size_t j = 0; j < result.size(); ++j) {
    const double norm = matrix.column_norms[j];
    result[j] = {hi[j], lo[j], (project_error(matrix.rows, vector.norm * norm) + vector.radius * norm) * kRoundUp};
  }
  return result;
}

}  // namespace equinorm::oracle
