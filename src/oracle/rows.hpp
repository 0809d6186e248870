// Vectors and matrices of enclosed numbers, with their errors measured in the 2-norm.
#pragma once

#include <algorithm>
#include <vector>

#include "oracle/kernels.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::oracle {

/// One vector: ||exact - (hi + lo)|| <= radius, ||hi|| <= norm.
struct Row {
  std::vector<double> hi, lo;
  double norm = 0, radius = 0;
};
Row make_row(const std::vector<Enclosed>& values);

/// Vectors of kBlock tokens, [dim][kBlock], the token last (hi may have zeros after them). Per token: ||exact - (hi + lo)|| <= radius,
/// ||hi|| <= norm. Tokens past the last one are zeros.
struct Rows {
  Index dim = 0;
  std::vector<double> hi, lo;      ///< lo: empty where every low part is 0
  bool low[kBlock / kGroup] = {};  ///< whether tokens kGroup i + ... may have low parts that are not 0
  alignas(64) double norm[kBlock] = {};
  alignas(64) double radius[kBlock] = {};

  Rows() = default;
  Rows(Index dims, bool pairs)
      : dim(dims), hi(static_cast<std::size_t>(dims * kBlock)), lo(pairs ? static_cast<std::size_t>(dims * kBlock) : 0) {
    std::fill_n(low, kBlock / kGroup, pairs);
  }
  /// dims vectors without low parts, hi to be overwritten; keeps the memory.
  void reset(Index dims);
  bool exact() const {
    return std::none_of(low, low + kBlock / kGroup, [](bool x) { return x; });
  }
};

/// Upper bound of ||hi|| from a computed sum of squares (pair_dot_error is below 2^-50 of it; elements below 2^-530 may be lost).
double norm_from_squares(double sum_of_squares);

/// Fills rows.norm; returns ||exact||^2 of every token.
void measure(Rows& rows, BoundedBlock& squares);

/// Error of a pair dot of two vectors of `n` elements: pair_dot_error with M <= ||a|| ||b|| (Cauchy-Schwarz), and what their own errors
/// add.
double dot_error(Index n, double norm_a, double radius_a, double norm_b, double radius_b);

/// sum_j rows[j][t] vector[j] for every token.
void dots(const Rows& rows, const Row& vector, BoundedBlock& result);

/// An exact matrix, row-major with rows padded by zeros to a multiple of 8 columns.
struct Dense {
  Index rows = 0, columns = 0, stride = 0;
  std::vector<double> values;
  std::vector<double> column_norms;  ///< upper bounds of the 2-norms
};
/// `rows` x `columns` values of `tensor`, row i from element first + i * pitch on.
Dense read_matrix(const tensor::AnyTensor& tensor, Index first, Index rows, Index columns, Index pitch);
Dense from_columns(Index rows, const std::vector<std::vector<double>>& columns);
Dense transposed(const Dense& matrix);

/// vector * matrix.
std::vector<Enclosed> times(const Row& vector, const Dense& matrix);

}  // namespace equinorm::oracle
