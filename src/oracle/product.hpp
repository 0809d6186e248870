// tokens x matrix for a block of tokens: the product that costs nearly everything.
#pragma once

#include "oracle/rows.hpp"

namespace equinorm::oracle {

/// The right-hand side of block products.
class Matrix {
 public:
  Matrix() = default;
  explicit Matrix(const Dense& values);
  Index depth() const { return columns_.columns; }
  Index columns() const { return columns_.rows; }

  /// out[j][t] = sum_m in[m][t] values[m][j], norms not filled.
  void multiply(const Rows& in, Rows& out) const;

 private:
  Dense columns_;  ///< transposed: one row per column
  double norm_ = 0;  ///< upper bound of the Frobenius norm
};

}  // namespace equinorm::oracle
