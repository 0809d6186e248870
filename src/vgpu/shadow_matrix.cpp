// mma.sync with rounding removed: D = C + A B in pairs of doubles, 32 elements of D at a time.
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

constexpr int kRows = 16, kColumns = 8, kDeepest = 16;

/// A, B and C of one mma: shadows, values, and whether all numbers that meet in a row and column are finite.
struct Matrices {
  Pair a[kRows][kDeepest], b[kDeepest][kColumns], c[kRows][kColumns];
  double a_value[kRows][kDeepest], b_value[kDeepest][kColumns], c_value[kRows][kColumns];
};

/// c += a b, with the values in double: enough to tell the error of a binary32 or fp16 result.
void multiply_values(Matrices& x, int depth) {
  for (int m = 0; m < kRows; ++m)
    for (int k = 0; k < depth; ++k)
      for (int n = 0; n < kColumns; ++n) x.c_value[m][n] += x.a_value[m][k] * x.b_value[k][n];
}

/// c += a b of the shadows, one after the other.
template <class Apply>
void multiply_each(Matrices& x, int depth, const Apply& apply) {
  for (int m = 0; m < kRows; ++m)
    for (int n = 0; n < kColumns; ++n)
      for (int k = 0; k < depth; ++k) x.c[m][n] = apply(x.a[m][k], x.b[k][n], x.c[m][n]);
}

/// c += a b of the shadows: four rows are 32 lanes.
void multiply_shadows(Matrices& x, int depth, const ShadowKernels& kernels) {
  for (int first = 0; first < kRows; first += kLanes / kColumns) {
    Pairs a, b, sum;
    for (int i = 0; i < kLanes; ++i) sum.set(i, x.c[first + i / kColumns][i % kColumns]);
    for (int k = 0; k < depth; ++k) {
      for (int i = 0; i < kLanes; ++i) {
        a.set(i, x.a[first + i / kColumns][k]);
        b.set(i, x.b[k][i % kColumns]);
      }
      kernels.apply(ShadowOp::fma, a, b, sum, sum);
    }
    for (int i = 0; i < kLanes; ++i) x.c[first + i / kColumns][i % kColumns] = sum[i];
  }
}

}  // namespace

void Shadows::matrix(Warp& warp, const Decoded& d, u32 mask) {
  const std::string_view pattern = rows()[static_cast<std::size_t>(d.row)].pattern;
  const bool tf32 = d.second_type == Type::tf32, half_output = d.type == Type::f16;
  const int depth = pattern.find("k16") != std::string_view::npos ? 16 : pattern.find("k8") != std::string_view::npos ? 8 : 4;
  const int per = tf32 ? 1 : 2, step = 4 * per, a_count = kRows * depth / (kLanes * per), results = d.results;
  const Type input = tf32 ? Type::f32 : d.second_type;
  const u32* slots = slots_of(d);
  static thread_local Matrices x;
  const auto put = [](const Operand& from, Pair& shadow, double& value) { shadow = from.shadow, value = from.value.high; };
  for (int i = 0; i < kLanes; ++i)
    for (int h = 0; h < per; ++h) {
      const int half = tf32 ? -1 : h;
      for (int r = 0; r < a_count; ++r) {
        const int m = i / 4 + 8 * (r % 2), k = i % 4 * per + step * (r / 2) + h;
        put(read(warp, slots[results + r], input, half, i), x.a[m][k], x.a_value[m][k]);
      }
      for (int r = 0; r < a_count / 2; ++r) {
        const int k = i % 4 * per + step * r + h, n = i / 4;
        put(read(warp, slots[results + a_count + r], input, half, i), x.b[k][n], x.b_value[k][n]);
      }
    }
  const int c_at = results + a_count + a_count / 2;
  const auto element = [](int i, int e) { return std::pair(i / 4 + e / 2 * 8, i % 4 * 2 + e % 2); };
  for (int i = 0; i < kLanes; ++i)
    for (int e = 0; e < 4; ++e) {
      const auto [m, n] = element(i, e);
      put(half_output ? read(warp, slots[c_at + e / 2], Type::f16, e % 2, i) : read(warp, slots[c_at + e], Type::f32, -1, i), x.c[m][n],
          x.c_value[m][n]);
    }
  const bool is_trace = store_.kind == ShadowKind::origins;
  static thread_local Seen seen[kRows][kColumns];
  if (is_trace) {
    for (int m = 0; m < kRows; ++m)
      for (int n = 0; n < kColumns; ++n) {
        seen[m][n] = {};
        seen[m][n].add({x.c[m][n], {x.c_value[m][n], 0.0}});
        for (int k = 0; k < depth; ++k) {
          seen[m][n].add({x.a[m][k], {x.a_value[m][k], 0.0}});
          seen[m][n].add({x.b[k][n], {x.b_value[k][n], 0.0}});
        }
      }
  } else if (wide_ != nullptr || store_.kind == ShadowKind::plain_double) {
    multiply_each(x, depth, [&](Pair a, Pair b, Pair c) { return apply(d, ShadowOp::fma, a, b, c); });
  } else {
    multiply_shadows(x, depth, kernels_);
  }
  multiply_values(x, depth);
  d.handler(warp, d, mask);
  if (is_trace) settle(warp, d, mask);
  const Type output = half_output ? Type::f16 : Type::f32;
  for (int i = 0; i < kLanes; ++i)
    for (int e = 0; e < 4; ++e) {
      const auto [m, n] = element(i, e);
      const u32 number = slots[half_output ? e / 2 : e];
      const u64 bits = half_output ? warp.lanes<u16>(number)[2 * i + e % 2] : warp.lanes<u32>(number)[i];
      // A sum that is not finite came from operands that were not, or is the overflow of finite ones.
      const bool finite = std::isfinite(x.c_value[m][n]);
      const double result = read_float(bits, output);
      const int half = half_output ? e % 2 : -1;
      if (!is_trace)
        write(warp, number, output, half, i, note(warp, d, i, {x.c_value[m][n], 0.0}, result, output, finite, x.c[m][n]));
      else if (!std::isfinite(result))
        write(warp, number, output, half, i, origin_pair(origin(warp, d, i, seen[m][n], result)));
    }
}

}  // namespace equinorm::vgpu
