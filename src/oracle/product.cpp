#include "oracle/product.hpp"

#include <algorithm>
#include <cmath>

namespace equinorm::oracle {
namespace {

/// Of the first slice and of the others.
constexpr int kRowBits[] = {29, 22}, kColumnDigits[] = {3, 2};
constexpr std::size_t kMaxSlices = 3, kMaxProducts = 6;
constexpr int kMaxExponent = 400;

bool uses_unit(Index depth) { return matrix_unit() != nullptr && depth <= kMaxUnitDepth; }

/// Moves what rounds to a multiple of `unit` from rest to slice; exact for |rest| < 2^51 unit.
void cut_at(double unit, double& rest, double& slice) {
  const double magic = 0x1.8p52 * unit;
  slice = (rest + magic) - magic;
  rest -= slice;
}

/// The power of two U with size < 2^bits U <= 2 size; 1 where size is 0, 0 where it is not finite or out of range.
double unit_of(double size, int bits) {
  if (size == 0) return 1;
  if (!std::isfinite(size) || std::abs(std::ilogb(size)) > kMaxExponent) return 0;
  return std::ldexp(1.0, std::ilogb(size) + 1 - bits);
}

/// Cuts one slice off every token of rest with ||slice||_1 <= 2^bits unit; false where unit_of gives 0 for a token.
bool cut_tokens(Index dim, int bits, double* rest, double* slice, double* unit, unsigned char* dirty) {
  double total[kBlock];
  kernels().magnitudes(dim, rest, total);
  for (Index t = 0; t < kBlock; ++t) {
    unit[t] = unit_of(total[t], bits);
    if (unit[t] == 0) return false;
  }
  kernels().cut(dim, unit, rest, slice, total, dirty);  // sums of multiples of the unit far below 2^53 of it: exact
  for (Index t = 0; t < kBlock; ++t) {
    while (total[t] > std::ldexp(unit[t], bits)) {
      unit[t] *= 2;
      total[t] = 0;
      for (Index m = 0; m < dim; ++m) {
        const Index at = m * kBlock + t;
        rest[at] += slice[at];
        cut_at(unit[t], rest[at], slice[at]);
        dirty[m] |= static_cast<unsigned char>(rest[at] != 0);
        total[t] += std::fabs(slice[at]);
      }
    }
  }
  return true;
}

Index count_nonzero(const std::vector<double>& values) {
  return static_cast<Index>(values.size()) - std::count(values.begin(), values.end(), 0.0);
}

/// Nonzero elements of rest in its dirty rows; empty and false where there are more than `most`.
bool find_leftovers(Index dim, const std::vector<double>& rest, const std::vector<unsigned char>& dirty, std::size_t most,
                    std::vector<Leftover>& found) {
  found.clear();
  for (Index m = 0; m < dim; ++m) {
    for (Index t = 0; dirty[static_cast<std::size_t>(m)] != 0 && t < kBlock; ++t) {
      const double left = rest[static_cast<std::size_t>(m * kBlock + t)];
      if (left == 0) continue;
      if (found.size() == most) return found.clear(), false;
      found.push_back({t, m, left});
    }
  }
  return true;
}

/// Digits that the largest element of a slice takes.
int count_digits(Index dim, const std::vector<double>& part, const std::vector<double>& unit) {
  int count = 1;
  for (Index m = 0; m < dim; ++m) {
    for (Index t = 0; t < kBlock; ++t) {
      const double integer = std::fabs(part[static_cast<std::size_t>(m * kBlock + t)]);
      while (integer > largest_integer(count) * unit[static_cast<std::size_t>(t)]) ++count;
    }
  }
  return count;
}

Slice pack_tokens(Index dim, const std::vector<double>& part, const std::vector<double>& unit) {
  Slice slice;
  if (uses_unit(dim)) {
    slice.digits.count = count_digits(dim, part, unit);
    slice.digits.unit = unit;
    matrix_unit()->split_tokens(dim, part.data(), slice.digits);
    return slice;
  }
  const Index width = kernels().width;
  slice.packed.resize(part.size());
  for (Index panel = 0; panel < kBlock / width; ++panel) {
    for (Index m = 0; m < dim; ++m) {
      std::copy_n(part.begin() + m * kBlock + panel * width, width, slice.packed.begin() + (panel * dim + m) * width);
    }
  }
  return slice;
}

/// (hi, lo) += a b; what is lost is added to `lost`.
void absorb_product(double a, double b, double& hi, double& lo, double& lost) {
  const double p = a * b;
  double sigma, error, more;
  two_sum<One>(hi, p, hi, sigma);
  two_sum<One>(lo, sigma, lo, error);
  two_sum<One>(lo, __builtin_fma(a, b, -p), lo, more);
  lost += std::fabs(error) + std::fabs(more) + 0x1p-1070;  // the product's own error term may underflow
}

}  // namespace

double cut_column(Index n, int digits, double* rest, double* slice) {
  double size = 0;
  for (Index k = 0; k < n; ++k) size = std::fabs(rest[k]) <= size ? size : std::fabs(rest[k]);
  for (double unit = unit_of(size, 8 * digits - 1); unit != 0; unit *= 2) {
    double largest = 0;
    for (Index k = 0; k < n; ++k) {
      double left = rest[k];
      cut_at(unit, left, slice[k]);
      largest = std::max(largest, std::fabs(slice[k]));
    }
    if (largest > largest_integer(digits) * unit) continue;
    for (Index k = 0; k < n; ++k) rest[k] -= slice[k];
    return unit;
  }
  return 0;
}

SlicedRows slice(const Rows& rows) {
  SlicedRows result;
  if (!rows.exact() || std::any_of(rows.radius, rows.radius + kBlock, [](double r) { return r != 0; })) return result;
  std::vector<double> rest = rows.hi, part(rest.size()), unit(kBlock);
  std::vector<unsigned char> dirty(static_cast<std::size_t>(rows.dim));
  // Two leftovers a token cost far less than another slice.
  for (bool few = false; !few;) {
    const int bits = kRowBits[result.slices.empty() ? 0 : 1];
    if (!cut_tokens(rows.dim, bits, rest.data(), part.data(), unit.data(), dirty.data())) return result;
    result.slices.push_back(pack_tokens(rows.dim, part, unit));
    const bool last = result.slices.size() == kMaxSlices;
    few = find_leftovers(rows.dim, rest, dirty, (last ? 8 : 2) * kBlock, result.rest);
    if (last && !few) return result;
  }
  result.usable = true;
  return result;
}

Matrix::Matrix(const Dense& values, bool cuts) : values_(values), columns_(transposed(values)) {
  double squares = 0;
  for (const double norm : values.column_norms) squares += norm * norm;
  norm_ = norm_from_squares(squares);
  if (cuts) cut();
}

Slice Matrix::pack(const std::vector<double>& part, const std::vector<double>& unit) const {
  Slice slice;
  if (uses_unit(depth())) {
    slice.digits.count = kColumnDigits[slices_.empty() ? 0 : 1];
    slice.digits.unit = unit;
    split_columns(depth(), columns(), part.data(), columns_.stride, slice.digits);
    return slice;
  }
  const Index rows = kernels().rows, panels = (columns() + rows - 1) / rows;
  slice.packed.resize(static_cast<std::size_t>(panels * depth() * rows));
  for (Index j = 0; j < columns(); ++j) {
    for (Index m = 0; m < depth(); ++m) {
      slice.packed[static_cast<std::size_t>((j / rows * depth() + m) * rows + j % rows)] =
          part[static_cast<std::size_t>(j * columns_.stride + m)];
    }
  }
  return slice;
}

void Matrix::cut() {
  std::vector<double> rest = columns_.values, part(rest.size()), unit(static_cast<std::size_t>((columns() + 15) / 16 * 16), 1.0);
  const Index few = std::max<Index>(16, depth() * columns() / 512);
  while (slices_.size() < kMaxSlices && (slices_.empty() || count_nonzero(rest) > few)) {
    for (Index j = 0; j < columns(); ++j) {
      const Index at = j * columns_.stride;
      unit[static_cast<std::size_t>(j)] = cut_column(depth(), kColumnDigits[slices_.empty() ? 0 : 1], rest.data() + at, part.data() + at);
      if (unit[static_cast<std::size_t>(j)] == 0) {
        slices_.clear();
        return;
      }
    }
    slices_.push_back(pack(part, unit));
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
  out.reset(columns());
  std::fill_n(out.low, kBlock / kGroup, true);
  for (Index j = 0; j < columns(); ++j) {
    kernels().dots(depth(), in.hi.data(), in.lo.data(), in.low, columns_.values.data() + j * columns_.stride, nullptr,
                   out.hi.data() + j * kBlock, out.lo.data() + j * kBlock);
  }
  // Column j errs by at most kappa ||c|| ||W_j|| + r ||W_j||; the 2-norm over j turns ||W_j|| into the Frobenius norm.
  for (Index t = 0; t < kBlock; ++t) {
    out.radius[t] = dot_error(depth(), in.norm[t], in.radius[t], norm_, 0) + static_cast<double>(columns()) * 0x1p-1030;
  }
}

/// out[j][t] for the columns rounded up to the kernel's tiles.
void Matrix::multiply_slice(const Slice& rows, const Slice& matrix, double* out) const {
  if (rows.digits.count != 0) {
    matrix_unit()->multiply(depth(), columns(), matrix.digits, rows.digits, out);
    return;
  }
  const Kernels& k = kernels();
  for (Index a = 0; a < (columns() + k.rows - 1) / k.rows; ++a) {
    for (Index b = 0; b < kBlock / k.width; ++b) {
      k.tile(depth(), matrix.packed.data() + a * depth() * k.rows, rows.packed.data() + b * depth() * k.width,
             out + a * k.rows * kBlock + b * k.width);
    }
  }
}

void Matrix::add_leftovers(const Rows& in, const SlicedRows& sliced, double* lost, Rows& out) const {
  for (const Leftover& left : sliced.rest) {
    out.low[left.outer / kGroup] = true;
    const double* row = values_.values.data() + left.inner * values_.stride;
    for (Index j = 0; j < columns(); ++j) {
      const auto at = static_cast<std::size_t>(j * kBlock + left.outer);
      absorb_product(left.value, row[j], out.hi[at], out.lo[at], lost[left.outer]);
    }
  }
  // (c - c_rest) . W_rest as c . W_rest - c_rest . W_rest: both sums are over few elements.
  if (!rest_.empty()) std::fill_n(out.low, kBlock / kGroup, true);
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
}

void Matrix::multiply_slices(const Rows& in, const SlicedRows& sliced, Rows& out) const {
  out.reset(columns());  // whole tiles of every kernel
  std::vector<double> product(sliced.slices.size() * slices_.size() > 1 ? out.hi.size() : 0);
  double lost[kBlock] = {};
  bool first = true;
  for (const Slice& rows : sliced.slices) {
    for (const Slice& matrix : slices_) {
      multiply_slice(rows, matrix, first ? out.hi.data() : product.data());
      if (!first) kernels().absorb(columns(), product.data(), out.hi.data(), out.lo.data(), lost);
      first = false;
    }
  }
  if (!product.empty()) std::fill_n(out.low, kBlock / kGroup, true);
  add_leftovers(in, sliced, lost, out);
  for (Index begin = 0; begin < kBlock; begin += kGroup) {
    for (Index j = 0; out.low[begin / kGroup] && j < columns(); ++j) {
      double *hi = out.hi.data() + j * kBlock + begin, *lo = out.lo.data() + j * kBlock + begin;
      for (Index t = 0; t < kGroup; ++t) two_sum<One>(hi[t], lo[t], hi[t], lo[t]);
    }
  }
  // The 1-norm over the columns bounds the 2-norm; at most 2^24 additions lose less than 2^-28.
  for (Index t = 0; t < kBlock; ++t) out.radius[t] = lost[t] * (1 + 0x1p-27);
}

}  // namespace equinorm::oracle
