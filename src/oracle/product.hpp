// tokens x matrix for a block of tokens: the product that costs nearly everything.
//
// Exact form. A token's vector c and a column W_j are cut into slices on grids of powers of two, c = c_1 + c_2 + ... + c_rest, every c_s a
// multiple of U with ||c_s||_1 <= 2^29 U, every W_s a multiple of V with max |W_s| <= 0x7f7f7f V < 2^23 V (2^22 and 0x7f7f from the second
// slice on, which has less to hold). Each partial sum of c_s . W_s', in any order, is then an integer of at most 2^52 units U V: plain
// binary64 fused multiply-adds are exact, and so are sums of products of 8-bit digits (matrix_unit.hpp). 16-bit data need one slice each,
// fp32 two. The few bits that slices leave (`Leftover`) are added one by one with error-free transformations; whatever those lose is
// counted, usually nothing:
//
//   c . W_j = sum_(s,s') c_s . W_s' + c_rest . W_j + (c - c_rest) . W_rest.
//
// Where the data do not fit (fp64 data, exponents beyond 2^+-400) the pair dot of kernels.hpp is used instead.
#pragma once

#include "oracle/matrix_unit.hpp"
#include "oracle/rows.hpp"

namespace equinorm::oracle {

/// One element's bits below the last grid. `outer`: token (of Rows) or column (of a matrix); `inner`: position along the sum.
struct Leftover {
  Index outer, inner;
  double value;
};

/// One slice of a block's rows or of a matrix: for the tile kernel packed as [kBlock / width][dim][width] or [columns / rows][depth][rows],
/// or for the matrix unit.
struct Slice {
  std::vector<double> packed;
  Digits digits;  ///< count 0: packed
};

/// Exact rows of a block, cut.
struct SlicedRows {
  bool usable = false;
  std::vector<Slice> slices;
  std::vector<Leftover> rest;
};
/// matrix_unit() must stay what it was when the matrix was cut.
SlicedRows slice(const Rows& rows);

/// Cuts one slice of `digits` digits off n numbers, multiples of a unit of at most largest_integer(digits) units, and returns the unit; 0
/// where a number is not finite or out of range.
double cut_column(Index n, int digits, double* rest, double* slice);

/// The right-hand side of block products.
class Matrix {
 public:
  Matrix() = default;
  /// `cuts`: whether it will be multiplied; else only transpose() is there.
  explicit Matrix(const Dense& values, bool cuts = true);
  Index depth() const { return values_.rows; }
  const Dense& transpose() const { return columns_; }
  Index columns() const { return values_.columns; }
  bool sliced() const { return !slices_.empty(); }

  /// out[j][t] = sum_m in[m][t] values[m][j], norms not filled. `sliced` is slice(in), made once for many matrices.
  void multiply(const Rows& in, const SlicedRows& sliced, Rows& out) const;

 private:
  void cut();
  Slice pack(const std::vector<double>& part, const std::vector<double>& unit) const;
  void multiply_slice(const Slice& rows, const Slice& matrix, double* out) const;
  void add_leftovers(const Rows& in, const SlicedRows& sliced, double* lost, Rows& out) const;
  void multiply_pairs(const Rows& in, Rows& out) const;
  void multiply_slices(const Rows& in, const SlicedRows& sliced, Rows& out) const;

  Dense values_, columns_;  ///< columns_: transposed, one row per column
  double norm_ = 0;         ///< upper bound of the Frobenius norm
  std::vector<Slice> slices_;
  std::vector<Leftover> rest_;
};

}  // namespace equinorm::oracle
