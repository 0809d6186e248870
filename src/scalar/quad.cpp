#include "scalar/quad.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>

#include "scalar/error.hpp"
#include "scalar/quad_body.hpp"
#include "scalar/simd.hpp"

namespace equinorm::scalar {
namespace {

using wide::Kernel;

/// Sums pause after kDepthBlock terms (their pairs then wait in hi and lo), so that the packed block of b, at most 1 MiB, stays in L2.
constexpr std::int64_t kDepthBlock = 512;
constexpr std::int64_t kColumnBlock = 256;

constexpr std::align_val_t kAlignment{64};
struct FreeAligned {
  void operator()(double* words) const { ::operator delete[](words, kAlignment); }
};
using Buffer = std::unique_ptr<double[], FreeAligned>;

Buffer allocate(std::int64_t count) { return Buffer(new (kAlignment) double[static_cast<std::size_t>(count)]); }

std::int64_t round_up(std::int64_t size, std::int64_t step) { return (size + step - 1) / step * step; }

const Kernel& kernel_now() {
#if defined(__x86_64__)
  const SimdLevel level = simd_level();
  if (level == SimdLevel::avx512) return wide::kAvx512Kernel;
  if (level == SimdLevel::avx2) return wide::kAvx2Kernel;
#endif
  return wide::kPortableKernel;
}

/// panel(k, i) = source[i * across + k * along] for i < count, 0 for i in [count, width); k-major. Reads along rows of the source.
void pack(const double* source, std::int64_t across, std::int64_t along, std::int64_t count, std::int64_t width, std::int64_t depth,
          double* panel) {
  if (count < width) std::fill_n(panel, width * depth, 0.0);
  if (along == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t k = 0; k < depth; ++k) panel[k * width + i] = source[i * across + k];
    }
  } else {
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t i = 0; i < count; ++i) panel[k * width + i] = source[i * across + k * along];
    }
  }
}

/// Moves `rows` x `columns` values between a tile and a matrix.
void copy(const double* from, std::int64_t from_stride, double* to, std::int64_t to_stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(from + i * from_stride, columns, to + i * to_stride);
}

/// b(k, j) = data[k * along + j * across].
struct RightOperand {
  const double* data;
  std::int64_t across;
  std::int64_t along;
};

struct Pairs {
  double* hi;
  double* lo;
  std::int64_t stride;
};

/// Blocks of one product: the kernel and its packed operands.
class BlockProduct {
 public:
  BlockProduct(std::int64_t n, std::int64_t depth)
      : kernel_(kernel_now()),
        packed_a_(allocate(kernel_.rows * std::min(depth, kDepthBlock))),
        packed_b_(allocate(round_up(std::min(n, kColumnBlock), kernel_.columns) * std::min(depth, kDepthBlock))) {}

  /// Adds at most kDepthBlock terms to the pairs of at most kColumnBlock columns.
  void operator()(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, RightOperand b, Pairs out) const {
    for (std::int64_t j = 0; j < n; j += kernel_.columns) {
      pack(b.data + j * b.across, b.across, b.along, std::min(kernel_.columns, n - j), kernel_.columns, depth, packed_b_.get() + j * depth);
    }
    alignas(64) double s[wide::kMaxTile] = {};
    alignas(64) double c[wide::kMaxTile] = {};
    for (std::int64_t i = 0; i < m; i += kernel_.rows) {
      const std::int64_t rows = std::min(kernel_.rows, m - i);
      pack(a + i * lda, lda, 1, rows, kernel_.rows, depth, packed_a_.get());
      for (std::int64_t j = 0; j < n; j += kernel_.columns) {
        const std::int64_t columns = std::min(kernel_.columns, n - j);
        const std::int64_t place = i * out.stride + j;
        copy(out.hi + place, out.stride, s, kernel_.columns, rows, columns);
        copy(out.lo + place, out.stride, c, kernel_.columns, rows, columns);
        kernel_.accumulate(depth, packed_a_.get(), packed_b_.get() + j * depth, s, c);
        copy(s, kernel_.columns, out.hi + place, out.stride, rows, columns);
        copy(c, kernel_.columns, out.lo + place, out.stride, rows, columns);
      }
    }
  }

 private:
  const Kernel& kernel_;
  Buffer packed_a_;
  Buffer packed_b_;
};

/// (s, c) becomes the pair with the same sum whose first part is the sum rounded to nearest (TwoSum).
void normalize(double& s, double& c) {
  const double sum = s + c;
  const double part = sum - s;
  c = (s - (sum - part)) + (c - part);
  s = sum;
}

void multiply(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, RightOperand b, Pairs out) {
  for (std::int64_t i = 0; i < m; ++i) {
    std::fill_n(out.hi + i * out.stride, n, 0.0);
    std::fill_n(out.lo + i * out.stride, n, 0.0);
  }
  if (m == 0 || n == 0 || depth == 0) return;
  const BlockProduct accumulate_block(n, depth);
  for (std::int64_t j = 0; j < n; j += kColumnBlock) {
    for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
      accumulate_block(m, std::min(kColumnBlock, n - j), std::min(kDepthBlock, depth - k), a + k, lda,
                       {b.data + j * b.across + k * b.along, b.across, b.along}, {out.hi + j, out.lo + j, out.stride});
    }
  }
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) normalize(out.hi[i * out.stride + j], out.lo[i * out.stride + j]);
  }
}

void check_shape(std::int64_t m, std::int64_t n, std::int64_t depth, bool leading_dimensions_suffice) {
  if (m < 0 || n < 0 || depth < 0) throw Error("wide matrix product: negative size");
  if (!leading_dimensions_suffice) throw Error("wide matrix product: leading dimension below the length of a row");
}

}  // namespace

void matmul_wide(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b, std::int64_t ldb,
                 double* hi, double* lo, std::int64_t ldo) {
  check_shape(m, n, depth, lda >= depth && ldb >= n && ldo >= n);
  multiply(m, n, depth, a, lda, {b, 1, ldb}, {hi, lo, ldo});
}

void matmul_wide_transposed(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b,
                            std::int64_t ldb, double* hi, double* lo, std::int64_t ldo) {
  check_shape(m, n, depth, lda >= depth && ldb >= depth && ldo >= n);
  multiply(m, n, depth, a, lda, {b, ldb, 1}, {hi, lo, ldo});
}

double wide_error_bound(std::int64_t depth, double sum_of_magnitudes) {
  if (depth < 0 || depth > (std::int64_t{1} << 40))
    throw Error("error bound of a wide product: depth " + std::to_string(depth) + "; allowed is 0 to 2^40");
  const double n = static_cast<double>(depth);
  const double nu = std::ldexp(n, -53);
  // n u is exact and 1 - n u >= 1 - 2^-13 exact too; the five roundings below lose less than the factor 1 + 2^-49, the last one is made up
  // for separately because it may underflow.
  const double gamma = nu / (1.0 - nu);
  const double bound = gamma * gamma * sum_of_magnitudes * (1.0 + std::ldexp(1.0, -49));
  return std::nextafter(bound + std::ldexp(n, -1074), std::numeric_limits<double>::infinity());
}

}  // namespace equinorm::scalar
