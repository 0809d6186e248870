// Matrix products on a matrix unit: choice of the unit, packing, tiles.
#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <vector>

#include "scalar/emulated_product.hpp"
#include "scalar/simd.hpp"
#include "scalar/tensor_core_formats.hpp"
#include "scalar/tensor_core_kernels.hpp"

namespace equinorm::scalar {
namespace {

#if defined(__x86_64__)
#define EQUINORM_ON_LEVEL(CALL)                                 \
  (simd_level() == SimdLevel::avx512 ? tensor_core_avx512::CALL \
   : simd_level() == SimdLevel::avx2 ? tensor_core_avx2::CALL   \
                                     : tensor_core_portable::CALL)
#else
#define EQUINORM_ON_LEVEL(CALL) tensor_core_portable::CALL
#endif

constexpr TensorInput kNarrowestFirst[] = {TensorInput::fp16, TensorInput::bf16, TensorInput::tf32};

/// Bits as in formats_holding.
unsigned holding(unsigned mask, Strided<const float> x, std::int64_t rows, std::int64_t columns) {
  if (x.column != 1) {
    x = x.transposed();
    std::swap(rows, columns);
  }
  if (x.column == 1) {
    for (std::int64_t i = 0; i < rows && mask != 0; ++i) mask = EQUINORM_ON_LEVEL(formats_holding(mask, x.data + i * x.row, columns));
    return mask;
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) mask = EQUINORM_ON_LEVEL(formats_holding(mask, x.data + i * x.row + j * x.column, 1));
  }
  return mask;
}

std::optional<TensorInput> input_of(Format format) {
  if (format == kFp16) return TensorInput::fp16;
  if (format == kBf16) return TensorInput::bf16;
  return std::nullopt;
}

/// The unit that takes the operands, or null.
const TensorCore* choose_unit(const Contraction& how, const Product<float>& p) {
  const auto unit_for = [&](TensorInput input) { return find_tensor_core(how.order.architecture, input, how.accumulate); };
  unsigned mask = 0;
  for (const TensorInput input : kNarrowestFirst) {
    if (unit_for(input) != nullptr) mask |= 1u << static_cast<unsigned>(input);
  }
  mask = holding(mask, p.left, p.m, p.depth);
  mask = holding(mask, p.right, p.depth, p.n);
  if (p.add && how.accumulate == kFp16 && (holding(1, {p.out.data, p.out.row, p.out.column}, p.m, p.n) & 1u) == 0) return nullptr;
  const auto held = [&](TensorInput input) { return (mask >> static_cast<unsigned>(input) & 1u) != 0; };
  const std::optional<TensorInput> preferred = input_of(how.operands);
  if (preferred && held(*preferred)) return unit_for(*preferred);
  for (const TensorInput input : kNarrowestFirst) {
    if (held(input)) return unit_for(input);
  }
  return nullptr;
}

/// 2^(exponent of x), 0 for a zero.
double power_of(double x, double smallest_normal) {
  if (x == 0) return 0;
  return std::max(std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000), smallest_normal);
}

/// Numbers of one operand, with the powers of two of their exponents.
struct Packed {
  AlignedArray<double> values, powers;
  double smallest_normal;
  std::uint32_t kept_bits;
  bool finite = true;

  Packed(std::int64_t count, const TensorFormat& format)
      : values(aligned_array<double>(count)),
        powers(aligned_array<double>(count)),
        smallest_normal(std::ldexp(1.0, format.min_exponent)),
        kept_bits(format.drops_bits ? kTf32Bits : ~std::uint32_t{0}) {}

  void put(std::int64_t place, float x) {
    x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & kept_bits);
    values[place] = x;
    powers[place] = power_of(x, smallest_normal);
    finite = finite && std::isfinite(x);
  }
};

class TensorProduct {
 public:
  TensorProduct(const TensorCore& unit, const Product<float>& p)
      : unit_(unit),
        p_(p),
        kernels_(EQUINORM_ON_LEVEL(tensor_kernels())),
        left_(kernels_.rows * p.depth, input_format(unit.input)),
        right_(kernels_.width * p.depth * panels_at_once(), input_format(unit.input)),
        out_(aligned_array<double>(kernels_.rows * kernels_.width)) {
    tile_.depth = p.depth;
    tile_.block = unit.block;
    tile_.scale = std::ldexp(1.0, unit.fraction);
    tile_.zero_power = std::ldexp(1.0, unit.zero_exponent);
    tile_.smallest = std::ldexp(1.0, output_format(unit.rounding).min_exponent);
    tile_.rounding = unit.rounding;
    tile_.out = out_.get();
  }

  void run() {
    const std::int64_t step = panels_at_once() * kernels_.width;
    for (std::int64_t begin = 0; begin < p_.n; begin += step) {
      pack_right(begin, std::min(step, p_.n - begin));
      for (std::int64_t i = 0; i < p_.m; i += kernels_.rows) {
        pack_left(i);
        for (std::int64_t j = begin; j < std::min(begin + step, p_.n); j += kernels_.width) run_tile(i, j, begin);
      }
    }
  }

 private:
  /// Enough columns to pay for packing the rows again for each group of them, within a cache of about 1 MiB.
  std::int64_t panels_at_once() const {
    const std::int64_t wanted = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / (p_.depth * kernels_.width));
    return std::min(wanted, (p_.n + kernels_.width - 1) / kernels_.width);
  }

  void pack_right(std::int64_t begin, std::int64_t count) {
    right_.finite = true;
    for (std::int64_t panel = 0; panel * kernels_.width < count; ++panel) {
      const std::int64_t live = std::min<std::int64_t>(kernels_.width, count - panel * kernels_.width);
      for (std::int64_t k = 0; k < p_.depth; ++k) {
        const float* source = p_.right.data + k * p_.right.row + (begin + panel * kernels_.width) * p_.right.column;
        const std::int64_t place = (panel * p_.depth + k) * kernels_.width;
        for (std::int64_t j = 0; j < live; ++j) right_.put(place + j, source[j * p_.right.column]);
        for (std::int64_t j = live; j < kernels_.width; ++j) right_.put(place + j, 0);
      }
    }
  }

  /// A last group of rows is filled up with its own last row.
  void pack_left(std::int64_t begin) {
    left_.finite = true;
    for (std::int64_t r = 0; r < kernels_.rows; ++r) {
      const float* source = p_.left.data + std::min(begin + r, p_.m - 1) * p_.left.row;
      for (std::int64_t k = 0; k < p_.depth; ++k) left_.put(r * p_.depth + k, source[k * p_.left.column]);
      rows_[r] = left_.values.get() + r * p_.depth;
      row_powers_[r] = left_.powers.get() + r * p_.depth;
    }
  }

  float* place_of(std::int64_t i, std::int64_t j) const { return p_.out.data + i * p_.out.row + j * p_.out.column; }

  void run_tile(std::int64_t i, std::int64_t j, std::int64_t panels_begin) {
    const std::int64_t rows = std::min<std::int64_t>(kernels_.rows, p_.m - i), width = std::min<std::int64_t>(kernels_.width, p_.n - j);
    std::fill_n(out_.get(), kernels_.rows * kernels_.width, 0.0);
    for (std::int64_t r = 0; r < rows && p_.add; ++r) {
      for (std::int64_t c = 0; c < width; ++c) out_[r * kernels_.width + c] = *place_of(i + r, j + c);
    }
    tile_.rows = rows_;
    tile_.row_powers = row_powers_;
    tile_.panel = right_.values.get() + (j - panels_begin) * p_.depth;
    tile_.panel_powers = right_.powers.get() + (j - panels_begin) * p_.depth;
    const bool done = left_.finite && right_.finite && kernels_.run(tile_);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < width; ++c) {
        float& out = *place_of(i + r, j + c);
        out = done ? static_cast<float>(out_[r * kernels_.width + c]) : one_by_one(i + r, j + c, p_.add ? out : 0.0f);
      }
    }
  }

  float one_by_one(std::int64_t i, std::int64_t j, float start) const {
    return tensor_core_dot(unit_, start, p_.depth, p_.left.data + i * p_.left.row, p_.left.column, p_.right.data + j * p_.right.column,
                           p_.right.row);
  }

  static constexpr int kMostRows = 4;

  const TensorCore& unit_;
  const Product<float>& p_;
  TensorKernels kernels_;
  Packed left_, right_;
  AlignedArray<double> out_;
  const double* rows_[kMostRows];
  const double* row_powers_[kMostRows];
  TensorTile tile_{};
};

void multiply_on(const TensorCore& unit, const Product<float>& p) {
  const Product<float> wide = p.n < p.m ? p.transposed() : p;  // the longer side goes into the lanes
  if (wide.m * wide.n == 1) {
    *p.out.data = tensor_core_dot(unit, p.add ? *p.out.data : 0.0f, p.depth, p.left.data, p.left.column, p.right.data, p.right.row);
  } else {
    TensorProduct(unit, wide).run();
  }
}

/// x as floats, row by row; nothing if one of them is no float.
std::optional<std::vector<float>> narrowed(Strided<const double> x, std::int64_t rows, std::int64_t columns) {
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const double value = x.data[i * x.row + j * x.column];
      all.push_back(static_cast<float>(value));
      if (all.back() != value && value == value) return std::nullopt;
    }
  }
  return all;
}

}  // namespace

bool multiply_on_tensor_core(const Contraction& how, const Product<float>& p) {
  const TensorCore* unit = choose_unit(how, p);
  if (unit == nullptr) return false;
  multiply_on(*unit, p);
  return true;
}

void tensor_core_multiply(const TensorCore& unit, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, const float* b,
                          float* c) {
  if (std::find(std::begin(kNarrowestFirst), std::end(kNarrowestFirst), unit.input) != std::end(kNarrowestFirst))
    return multiply_on(unit, {m, n, depth, {a, depth, 1}, {b, n, 1}, {c, n, 1}, true});
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) c[i * n + j] = tensor_core_dot(unit, c[i * n + j], depth, a + i * depth, 1, b + j, n);
  }
}

bool multiply_on_tensor_core(const Contraction& how, const Product<double>& p) {
  const auto left = narrowed(p.left, p.m, p.depth), right = narrowed(p.right, p.depth, p.n);
  const Strided<const double> start{p.out.data, p.out.row, p.out.column};
  std::optional<std::vector<float>> out(std::in_place, static_cast<std::size_t>(p.m * p.n));
  if (p.add) out = narrowed(start, p.m, p.n);
  if (!left || !right || !out) return false;
  const Product<float> narrow{p.m, p.n, p.depth, {left->data(), p.depth, 1}, {right->data(), p.n, 1}, {out->data(), p.n, 1}, p.add};
  if (!multiply_on_tensor_core(how, narrow)) return false;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) p.out.data[i * p.out.row + j * p.out.column] = (*out)[static_cast<std::size_t>(i * p.n + j)];
  }
  return true;
}

}  // namespace equinorm::scalar
