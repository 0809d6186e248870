#include "oracle/product.hpp"

#include <algorithm>
#include <cmath>

namespace equinorm::oracle {
namespace {

constexpr int kRowBits = 30, kColumnBits = 23;
constexpr std::size_t kMaxSlices = 3, kMaxProducts = 6;
constexpr int kMaxExponent = 400;

/// Moves what rounds to a multiple of `unit` from rest to slice; exact for |rest| < 2^51 unit.
void cut_at(double unit, double& rest, double& slice) {
  const double magic = 0x1.8p52 * unit;
  slice = (rest + magic) - magic;
  rest -= slice;
}

/// Cuts one slice off n numbers, `pitch` apart, with sum |slice| <= 2^bits unit (or max |slice|, if by_maximum). False if a number is not
/// finite or its size is out of range.
bool cut_slice(Index n, Index pitch, int bits, bool by_maximum, double* rest, double* slice) {
  double size = 0;
  for (Index k = 0; k < n; ++k) {
    const double magnitude = std::fabs(rest[k * pitch]);
    size = by_maximum ? (magnitude <= size ? size : magnitude) : size + magnitude;
  }
  if (size == 0) {
    for (Index k = 0; k < n; ++k) slice[k * pitch] = 0;
    return true;
  }
  if (!std::isfinite(size) || std::abs(std::ilogb(size)) > kMaxExponent) return false;
  for (int exponent = std::ilogb(size) + 1 - bits;; ++exponent) {
    const double unit = std::ldexp(1.0, exponent);
    double total = 0;  // exact: multiples of the unit far below 2^53 of it
    for (Index k = 0; k < n; ++k) {
      double left = rest[k * pitch];
      cut_at(unit, left, slice[k * pitch]);
      const double magnitude = std::fabs(slice[k * pitch]);
      total = by_maximum ? std::max(total, magnitude) : total + magnitude;
    }
    if (total <= std::ldexp(unit, bits)) break;
  }
  for (Index k = 0; k < n; ++k) rest[k * pitch] -= slice[k * pitch];
  return true;
}

Index count_nonzero(const std::vector<double>& values) {
  return static_cast<Index>(values.size()) - std::count(values.begin(), values.end(), 0.0);
}

/// (hi, lo) += x; what is lost is added to `lost`.
void absorb(double x, double& hi, double& lo, double& lost) {
  double sigma, error;
  two_sum<One>(hi, x, hi, sigma);
  two_sum<One>(lo, sigma, lo, error);
  lost += std::fabs(error);
}

void absorb_product(double a, double b, double& hi, double& lo, double& lost) {
  const double p = a * b;
  absorb(p, hi, lo, lost);
  double error;
  two_sum<One>(lo, __builtin_fma(a, b, -p), lo, error);
  lost += std::fabs(error) + 0x1p-1070;  // the product's own error term may underflow
}

}  // namespace

SlicedRows slice(const Rows& rows) {
  SlicedRows result;
  if (!rows.lo.empty() || std::any_of(rows.radius, rows.radius + kBlock, [](double r) { return r != 0; })) return result;
  const Index width = kernels().width;
  std::vector<double> rest = rows.hi, part(rest.size());
  // Two leftovers a token cost far less than another slice.
  while (result.slices.size() < kMaxSlices && (result.slices.empty() || count_nonzero(rest) > 2 * kBlock)) {
    for (Index t = 0; t < kBlock; ++t) {
      if (!cut_slice(rows.dim, kBlock, kRowBits, false, rest.data() + t, part.data() + t)) return result;
    }
    std::vector<double>& packed = result.slices.emplace_back(part.size());
    for (Index panel = 0; panel < kBlock / width; ++panel) {
      for (Index m = 0; m < rows.dim; ++m) {
        std::copy_n(part.begin() + m * kBlock + panel * width, width, packed.begin() + (panel * rows.dim + m) * width);
      }
    }
  }
  for (Index m = 0; m < rows.dim; ++m) {
    for (Index t = 0; t < kBlock; ++t) {
      const double left = rest[static_cast<std::size_t>(m * kBlock + t)];
      if (left != 0) result.rest.push_back({t, m, left});
    }
  }
  result.usable = static_cast<Index>(result.rest.size()) <= 8 * kBlock;
  return result;
}

Matrix::Matrix(const Dense& values) : values_(values), columns_(transposed(values)) {
  double squares = 0;
  for (const double norm : values.column_norms) squares += norm * norm;
  norm_ = norm_from_squares(squares);
  cut();
}

void Matrix::cut() {
  const Index rows = kernels().rows, panels = (columns() + rows - 1) / rows;
  std::vector<double> rest = columns_.values, part(rest.size());
  const Index few = std::max<Index>(16, depth() * columns() / 512);
  while (slices_.size() < kMaxSlices && (slices_.empty() || count_nonzero(rest) > few)) {
    for (Index j = 0; j < columns(); ++j) {
      const Index at = j * columns_.stride;
      if (!cut_slice(depth(), 1, kColumnBits, true, rest.data() + at, part.data() + at)) {
        slices_.clear();
        return;
      }
    }
    std::vector<double>& packed = slices_.emplace_back(static_cast<std::size_t>(panels * depth() * rows));
    for (Index j = 0; j < columns(); ++j) {
      for (Index m = 0; m < depth(); ++m) {
        packed[static_cast<std::size_t>((j / rows * depth() + m) * rows + j % rows)] =
            part[static_cast<std::size_t>(j * columns_.stride + m)];
      }
    }
  }
  if (count_nonzero(rest) > 4 * few) {
    slices_.clear();
    return;
  }
  for (Index j = 0; j < columns(); ++j) {
    for (Index m = 0; m < depth(); ++m) {
      const double left = rest[static_cast<std::size_t>(j * columns_.stride + m)];
      if (left != 0) rest_.push_back({j, m, left});
    }
  }
}

void Matrix::multiply(const Rows& in, const SlicedRows& sliced, Rows& out) const {
  if (sliced.usable && !slices_.empty() && sliced.slices.size() * slices_.size() <= kMaxProducts) {
    multiply_slices(in, sliced, out);
  } else {
    multiply_pairs(in, out);
  }
}

void Matrix::multiply_pairs(const Rows& in, Rows& out) const {
  out = Rows(columns(), true);
  for (Index j = 0; j < columns(); ++j) {
    kernels().dots(depth(), in.hi.data(), in.low(), columns_.values.data() + j * columns_.stride, nullptr, out.hi.data() + j * kBlock,
                   out.lo.data() + j * kBlock);
  }
  // Column j errs by at most kappa ||c|| ||W_j|| + r ||W_j||; the 2-norm over j turns ||W_j|| into the Frobenius norm.
  for (Index t = 0; t < kBlock; ++t) {
    out.radius[t] = dot_error(depth(), in.norm[t], in.radius[t], norm_, 0) + static_cast<double>(columns()) * 0x1p-1030;
  }
}

void Matrix::multiply_slices(const Rows& in, const SlicedRows& sliced, Rows& out) const {
  const Kernels& k = kernels();
  const Index panels = (columns() + k.rows - 1) / k.rows;
  out = Rows(columns(), true);
  out.hi.resize(static_cast<std::size_t>(panels * k.rows * kBlock));
  std::vector<double> product(sliced.slices.size() * slices_.size() > 1 ? out.hi.size() : 0);
  double lost[kBlock] = {};
  bool first = true;
  for (const std::vector<double>& rows : sliced.slices) {
    for (const std::vector<double>& matrix : slices_) {
      double* target = first ? out.hi.data() : product.data();
      for (Index a = 0; a < panels; ++a) {
        for (Index b = 0; b < kBlock / k.width; ++b) {
          k.tile(depth(), matrix.data() + a * depth() * k.rows, rows.data() + b * depth() * k.width,
                 target + a * k.rows * kBlock + b * k.width);
        }
      }
      for (Index j = 0; !first && j < columns(); ++j) {
        const double* more = product.data() + j * kBlock;
        double *hi = out.hi.data() + j * kBlock, *lo = out.lo.data() + j * kBlock;
        for (Index t = 0; t < kBlock; ++t) absorb(more[t], hi[t], lo[t], lost[t]);
      }
      first = false;
    }
  }
  for (const Leftover& left : sliced.rest) {
    const double* row = values_.values.data() + left.inner * values_.stride;
    for (Index j = 0; j < columns(); ++j) {
      const auto at = static_cast<std::size_t>(j * kBlock + left.outer);
      absorb_product(left.value, row[j], out.hi[at], out.lo[at], lost[left.outer]);
    }
  }
  // (c - c_rest) . W_rest as c . W_rest - c_rest . W_rest: both sums are over few elements.
  for (const Leftover& left : rest_) {
    const double* c = in.hi.data() + left.inner * kBlock;
    for (Index t = 0; t < kBlock; ++t) {
      const auto at = static_cast<std::size_t>(left.outer * kBlock + t);
      absorb_product(left.value, c[t], out.hi[at], out.lo[at], lost[t]);
    }
    for (const Leftover& other : sliced.rest) {
      if (other.inner != left.inner) continue;
      const auto at = static_cast<std::size_t>(left.outer * kBlock + other.outer);
      absorb_product(-left.value, other.value, out.hi[at], out.lo[at], lost[other.outer]);
    }
  }
  for (Index at = 0; at < columns() * kBlock; ++at) {
    const auto i = static_cast<std::size_t>(at);
    if (out.lo[i] != 0) two_sum<One>(out.hi[i], out.lo[i], out.hi[i], out.lo[i]);
  }
  out.hi.resize(static_cast<std::size_t>(columns() * kBlock));
  // The 1-norm over the columns bounds the 2-norm; at most 2^24 additions lose less than 2^-28.
  for (Index t = 0; t < kBlock; ++t) out.radius[t] = lost[t] * (1 + 0x1p-27);
}

}  // namespace equinorm::oracle
