#include "scalar/emulated.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "scalar/emulated_checks.hpp"
#include "scalar/emulated_kernels.hpp"
#include "scalar/emulated_product.hpp"
#include "scalar/simd.hpp"

namespace equinorm::scalar {

template <>
EmulatedKernels<float> emulated_kernels<float>(FormatKind format, ArithmeticChoice choice) {
  switch (simd_level()) {
    case SimdLevel::portable:
      break;
#if defined(__x86_64__)
    case SimdLevel::avx2:
      return emulated_avx2::float_kernels(format, choice);
    case SimdLevel::avx512:
      return emulated_avx512::float_kernels(format, choice);
#else
    default:
      break;
#endif
  }
  return emulated_portable::float_kernels(format, choice);
}

template <>
EmulatedKernels<double> emulated_kernels<double>(FormatKind format, ArithmeticChoice choice) {
  switch (simd_level()) {
    case SimdLevel::portable:
      break;
#if defined(__x86_64__)
    case SimdLevel::avx2:
      return emulated_avx2::double_kernels(format, choice);
    case SimdLevel::avx512:
      return emulated_avx512::double_kernels(format, choice);
#else
    default:
      break;
#endif
  }
  return emulated_portable::double_kernels(format, choice);
}

namespace {

void scan(FormatKind format, const float* x, std::int64_t count, OperandRange& range) {
#if defined(__x86_64__)
  if (simd_level() == SimdLevel::avx512) return emulated_avx512::scan_operands(format, x, count, range);
  if (simd_level() == SimdLevel::avx2) return emulated_avx2::scan_operands(format, x, count, range);
#endif
  emulated_portable::scan_operands(format, x, count, range);
}

template <class T>
OperandRange scan_rows(FormatKind format, Strided<T> x, std::int64_t rows, std::int64_t columns) {
  OperandRange range;
  if (x.column != 1) {
    x = x.transposed();
    std::swap(rows, columns);
  }
  for (std::int64_t i = 0; i < rows && range.representable; ++i) scan(format, x.data + i * x.row, columns, range);
  return range;
}

/// Whether the operands are outside what the fast variants of emulated_arithmetic.hpp ask for. A product of two bf16 numbers has 16 bits,
/// so one of 2^-100 or more has none below 2^-149; the two factors of a smaller one need not be seen apart. fp16 products never leave a
/// float.
bool needs_exact(FormatKind format, const Product<float>& p) {
  if (format != FormatKind::fp16 && format != FormatKind::bf16) return false;
  const OperandRange left = scan_rows(format, p.left, p.m, p.depth);
  if (!left.representable) return true;
  const OperandRange right = scan_rows(format, p.right, p.depth, p.n);
  if (!right.representable) return true;
  if (p.add && !scan_rows(format, p.out, p.m, p.n).representable) return true;
  if (format == FormatKind::fp16) return false;
  const double smallest = static_cast<double>(left.smallest) * right.smallest;
  const double largest = static_cast<double>(left.largest) * right.largest;
  return !(smallest >= 0x1p-100 && largest < 0x1p127);
}
bool needs_exact(FormatKind format, const Product<double>&) { return format != FormatKind::fp64; }

/// Columns [begin, begin + count) of x (depth rows), row by row into `width` places, the rest zeros.
template <class T>
void pack(Strided<const T> x, std::int64_t depth, std::int64_t begin, std::int64_t count, std::int64_t width, T* panel) {
  for (std::int64_t k = 0; k < depth; ++k, panel += width) {
    const T* source = x.data + k * x.row + begin * x.column;
    if (x.column == 1) {
      std::memcpy(panel, source, static_cast<std::size_t>(count) * sizeof(T));
    } else {
      for (std::int64_t j = 0; j < count; ++j) panel[j] = source[j * x.column];
    }
    std::fill(panel + count, panel + width, T{});
  }
}

/// Runs the tile kernel over rows of one packed panel of columns. A last group of rows is filled up with its own last row.
template <class T>
void run_panel(const Product<T>& p, TileJob<T> job, void (*tile)(const TileJob<T>&), int tile_rows, std::int64_t begin, std::int64_t count,
               std::int64_t width, T* buffer) {
  constexpr int kMaxRows = 8;
  const T* rows[kMaxRows];
  job.rows = rows;
  job.out = buffer;
  for (std::int64_t i = 0; i < p.m; i += tile_rows) {
    const std::int64_t live = std::min<std::int64_t>(tile_rows, p.m - i);
    for (int r = 0; r < tile_rows; ++r) rows[r] = p.left.data + (i + std::min<std::int64_t>(r, live - 1)) * p.left.row;
    T* out = p.out.data + i * p.out.row + begin * p.out.column;
    if (p.add) {
      std::fill(buffer, buffer + tile_rows * width, T{});
      for (std::int64_t r = 0; r < live; ++r) {
        for (std::int64_t j = 0; j < count; ++j) buffer[r * width + j] = out[r * p.out.row + j * p.out.column];
      }
    }
    tile(job);
    for (std::int64_t r = 0; r < live; ++r) {
      for (std::int64_t j = 0; j < count; ++j) out[r * p.out.row + j * p.out.column] = buffer[r * width + j];
    }
  }
}

template <class T>
void multiply(const Contraction& how, Product<T> p) {
  const FormatKind format = how.accumulate.kind;
  const bool exact = needs_exact(format, p);
  if (p.n < p.m) p = p.transposed();  // the longer side goes into the lanes
  const EmulatedKernels<T> kernels = emulated_kernels<T>(format, {.fused = how.fused, .ftz = how.ftz, .exact = exact});
  const bool strip = p.m < kernels.block_rows;
  const int tile_rows = strip ? 1 : kernels.block_rows;
  const std::int64_t width = strip ? kernels.strip_width : kernels.block_width;
  const AlignedArray<T> panel = aligned_array<T>(p.depth * width);
  const AlignedArray<T> buffer = aligned_array<T>(tile_rows * width);
  TileJob<T> job{};
  job.row_step = p.left.column;
  job.depth = p.depth;
  job.order = tile_order(how.order);
  job.block = how.order.block;
  job.add = p.add;
  for (std::int64_t begin = 0; begin < p.n; begin += width) {
    const std::int64_t count = std::min(width, p.n - begin);
    const bool in_place = strip && p.right.column == 1 && count == width;  // too few rows to pay for a copy
    if (!in_place) pack(p.right, p.depth, begin, count, width, panel.get());
    job.panel = in_place ? p.right.data + begin : panel.get();
    job.panel_step = in_place ? p.right.row : width;
    run_panel(p, job, strip ? kernels.strip : kernels.block, tile_rows, begin, count, width, buffer.get());
  }
}

template <class T>
void checked_multiply(const Contraction& how, const Product<T>& p) {
  check_contraction<T>(how, {p.m, p.n, p.depth});
  if (p.m == 0 || p.n == 0) return;
  if (p.depth > 0 && how.order.kind == SumOrder::Kind::tensor_core) {
    if (!multiply_on_tensor_core(how, p)) multiply(fallback_chain(how), p);
    return;
  }
  if (p.depth > 0) return multiply(how, p);
  if (p.add) return;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) p.out.data[i * p.out.row + j * p.out.column] = T{};
  }
}

}  // namespace

void matmul(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, std::int64_t lda, const float* b,
            std::int64_t ldb, float* out, std::int64_t ldo, bool add) {
  checked_multiply<float>(how, {m, n, depth, {a, lda, 1}, {b, ldb, 1}, {out, ldo, 1}, add});
}
void matmul(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b,
            std::int64_t ldb, double* out, std::int64_t ldo, bool add) {
  checked_multiply<double>(how, {m, n, depth, {a, lda, 1}, {b, ldb, 1}, {out, ldo, 1}, add});
}
void matmul_transposed(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, std::int64_t lda,
                       const float* b, std::int64_t ldb, float* out, std::int64_t ldo, bool add) {
  checked_multiply<float>(how, {m, n, depth, {a, lda, 1}, {b, 1, ldb}, {out, ldo, 1}, add});
}
void matmul_transposed(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda,
                       const double* b, std::int64_t ldb, double* out, std::int64_t ldo, bool add) {
  checked_multiply<double>(how, {m, n, depth, {a, lda, 1}, {b, 1, ldb}, {out, ldo, 1}, add});
}

}  // namespace equinorm::scalar
