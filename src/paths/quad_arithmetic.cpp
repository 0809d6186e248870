#include "paths/quad_arithmetic.hpp"

#include <vector>

#include "paths/scale_value.hpp"

namespace equinorm::paths {
namespace {

using scalar::Quad;

/// high + low of a real: the two leading binary64 parts, 106 bits.
Quad from_real(const scalar::Real& x) {
  const double high = scalar::to_double(x);
  const scalar::Real rest = scalar::sub(x, scalar::Real::from_double(high, 53), x.bits());
  const double low = scalar::to_double(rest);
  const scalar::Real tail = scalar::sub(rest, scalar::Real::from_double(low, 53), x.bits());
  return Quad(high) + Quad(low) + Quad(scalar::to_double(tail));
}

/// A matrix of Quads as high + low binary64 parts: 106 of 113 bits.
struct SplitMatrix {
  std::vector<double> high, low;
  bool has_low = false;

  SplitMatrix(const Quad* x, Index rows, Index columns, Index stride) : high(rows * columns), low(rows * columns) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) {
        const Quad& value = x[i * stride + j];
        const std::size_t at = static_cast<std::size_t>(i * columns + j);
        high[at] = static_cast<double>(value);
        low[at] = static_cast<double>(value - high[at]);
        has_low = has_low || low[at] != 0;
      }
    }
  }
};

}  // namespace

Quad QuadArithmetic::constant(const scalar::Decimal& x) const { return from_real(scalar::Real::from_rational(x.value(), 160)); }
Quad QuadArithmetic::scale(const problem::ScaleSpec& spec) const { return from_real(scale_value(spec, 160)); }

void QuadArithmetic::matmul(Index m, Index n, Index depth, const Quad* a, Index lda, const Quad* b, Index ldb, Quad* out, Index ldo,
                            bool add_to) const {
  // a b = (a_high + a_low)(b_high + b_low) without a_low b_low, 2^-106 relative to |a||b|; inputs of 16 to 64 bits have no low part at all.
  const SplitMatrix left(a, m, depth, lda), right(b, depth, n, ldb);
  if (!add_to) {
    for (Index i = 0; i < m; ++i) std::fill(out + i * ldo, out + i * ldo + n, Quad(0));
  }
  std::vector<double> high(static_cast<std::size_t>(m * n)), low(high.size());
  const auto accumulate = [&](const std::vector<double>& x, const std::vector<double>& y) {
    scalar::matmul_wide(m, n, depth, x.data(), depth, y.data(), n, high.data(), low.data(), n);
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) out[i * ldo + j] += Quad(high[i * n + j]) + Quad(low[i * n + j]);
    }
  };
  accumulate(left.high, right.high);
  if (left.has_low) accumulate(left.low, right.high);
  if (right.has_low) accumulate(left.high, right.low);
}

}  // namespace equinorm::paths
