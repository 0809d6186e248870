// mma.sync: the fragments that PTX spreads over the lanes are gathered into matrices, multiplied by the model of matrix.hpp, and spread
// again.
#pragma once

#include "vgpu/matrix.hpp"
#include "vgpu/ops_warp.hpp"

namespace equinorm::vgpu {
namespace {

inline constexpr int kRows = 16, kColumns = 8;

/// 16 x kDepth and kDepth x 8 bit patterns and a 16 x 8 accumulator.
template <int kDepth>
struct Tile {
  u32 a[kRows][kDepth], b[kDepth][kColumns], c[kRows][kColumns];
};

/// Lane l = 4 g + t. Register r of A holds row g + 8 (r % 2) from k = t s + s/2... on, where a 32-bit register holds s = 1 (tf32) or 2
/// numbers.
template <MatrixInput kInput, int kDepth>
EQUINORM_INLINE void gather(const Warp& w, const u32* slots, Tile<kDepth>& tile) {
  constexpr int kPerRegister = kInput == MatrixInput::tf32 ? 1 : 2;
  constexpr int kRegisters = kRows * kDepth / (kLanes * kPerRegister);
  constexpr int kStep = 4 * kPerRegister;
  for (int r = 0; r < kRegisters; ++r) {
    const u32* from = w.lanes<u32>(slots[r]);
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < kPerRegister; ++h)
        tile.a[i / 4 + 8 * (r % 2)][i % 4 * kPerRegister + kStep * (r / 2) + h] =
            kPerRegister == 1 ? from[i] : from[i] >> (16 * h) & 0xffff;
  }
  for (int r = 0; r < kRegisters / 2; ++r) {
    const u32* from = w.lanes<u32>(slots[kRegisters + r]);
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < kPerRegister; ++h)
        tile.b[i % 4 * kPerRegister + kStep * r + h][i / 4] = kPerRegister == 1 ? from[i] : from[i] >> (16 * h) & 0xffff;
  }
}

/// Row and column of element `e` (0..3) of lane i's accumulator.
EQUINORM_INLINE u32& element(u32 (&c)[kRows][kColumns], int i, int e) { return c[i / 4 + e / 2 * 8][i % 4 * 2 + e % 2]; }

struct Operands {
  s64 significand[kRows][16];  // of A, signed
  s64 exponent[kRows][16];
  s64 b_significand[16][kColumns];
  s64 b_exponent[16][kColumns];
  bool finite;
};

template <MatrixInput kInput, int kDepth>
EQUINORM_INLINE void decode_all(const Tile<kDepth>& tile, Operands& to) {
  constexpr int kFraction = kInput == MatrixInput::bf16 ? 7 : 10, kExponentBits = kInput == MatrixInput::fp16 ? 5 : 8;
  constexpr s64 kBias = (1 << (kExponentBits - 1)) - 1, kLast = (1 << kExponentBits) - 1;
  constexpr int kDrop = kInput == MatrixInput::tf32 ? 13 : 0;
  s64 special = 0;
  const auto one = [&](u32 word, s64 & significand, s64 & exponent) __attribute__((always_inline)) {
    const s64 bits = word >> kDrop;
    const s64 e = bits >> kFraction & kLast, f = bits & ((1 << kFraction) - 1);
    const s64 m = e == 0 ? f : f | 1 << kFraction;
    special |= e == kLast ? 1 : 0;
    significand = (bits >> (kFraction + kExponentBits) & 1) != 0 ? -m : m;
    exponent = (e == 0 ? 1 : e) - kBias;
  };
  for (int m = 0; m < kRows; ++m)
    for (int k = 0; k < kDepth; ++k) one(tile.a[m][k], to.significand[m][k], to.exponent[m][k]);
  for (int k = 0; k < kDepth; ++k)
    for (int n = 0; n < kColumns; ++n) one(tile.b[k][n], to.b_significand[k][n], to.b_exponent[k][n]);
  to.finite = special == 0;
}

/// Aligned sums of one block of products and c, for all 8 columns of row m: sum[n] 2^unit[n]. Returns false if c is not finite.
template <int kFraction>
EQUINORM_INLINE bool add_row(const MatrixModel& model, const Operands& x, int m, int first, int count, const u32* c, s64* sum, s64* unit) {
  s64 cm[kColumns], ce[kColumns], largest[kColumns], special = 0;
  for (int n = 0; n < kColumns; ++n) {
    const s64 e = c[n] >> 23 & 0xff, f = c[n] & 0x7fffff;
    special |= e == 0xff ? 1 : 0;
    const s64 s = e == 0 ? f : f | 0x800000;
    cm[n] = s;
    ce[n] = (e == 0 ? 1 : e) - 127;
    largest[n] = s == 0 ? model.zero_exponent : ce[n];
    if (count < model.terms && largest[n] < model.zero_exponent) largest[n] = model.zero_exponent;
  }
  if (special != 0) return false;
  s64 product[16][kColumns], exponent[16][kColumns];
  for (int k = 0; k < count; ++k)
    for (int n = 0; n < kColumns; ++n) {
      const s64 p = x.significand[m][first + k] * x.b_significand[first + k][n];
      const s64 e = p == 0 ? model.zero_exponent : x.exponent[m][first + k] + x.b_exponent[first + k][n];
      product[k][n] = p;
      exponent[k][n] = e;
      largest[n] = e > largest[n] ? e : largest[n];
    }
  const s64 bits = model.fraction_bits;
  // Left by the most that any addend needs (fraction_bits <= 25 < 2 fraction: 14 or 20), then right by the distance, as one pair of shifts.
  for (int n = 0; n < kColumns; ++n) {
    const s64 right = largest[n] - ce[n] > 63 ? 63 : largest[n] - ce[n];
    const s64 cut = cm[n] << (bits - 23) >> right;
    sum[n] = (c[n] >> 31) != 0 ? -cut : cut;
    unit[n] = largest[n] - bits;
  }
  for (int k = 0; k < count; ++k)
    for (int n = 0; n < kColumns; ++n) {
      const s64 right = largest[n] - exponent[k][n] > 63 ? 63 : largest[n] - exponent[k][n];
      const s64 p = product[k][n], magnitude = p < 0 ? -p : p;
      const s64 cut = magnitude << (bits - 2 * kFraction) >> right;
      sum[n] += p < 0 ? -cut : cut;
    }
  return true;
}

template <MatrixInput kInput, int kDepth>
EQUINORM_INLINE void multiply(const MatrixModel& model, Tile<kDepth>& tile) {
  constexpr int kFraction = kInput == MatrixInput::bf16 ? 7 : 10;
  Operands x;
  decode_all<kInput, kDepth>(tile, x);
  for (int m = 0; m < kRows; ++m) {
    bool quick = x.finite && model.output == MatrixOutput::fp32_toward_zero;
    u32 c[kColumns];
    __builtin_memcpy(c, tile.c[m], sizeof c);
    for (int first = 0; quick && first < kDepth; first += model.terms) {
      const int count = kDepth - first < model.terms ? kDepth - first : model.terms;
      s64 sum[kColumns], unit[kColumns];
      quick = add_row<kFraction>(model, x, m, first, count, c, sum, unit);
      for (int n = 0; quick && n < kColumns; ++n) {
        quick = sum[n] != 0;  // the sign of a zero is left to the slow way
        c[n] = round_output(model.output, sum[n], static_cast<int>(unit[n]), false);
      }
    }
    for (int n = 0; n < kColumns; ++n) {
      if (quick) {
        tile.c[m][n] = c[n];
        continue;
      }
      u32 a[kDepth], b[kDepth];
      for (int k = 0; k < kDepth; ++k) a[k] = tile.a[m][k], b[k] = tile.b[k][n];
      tile.c[m][n] = fused_dot(model, kInput, {a, kDepth}, {b, kDepth}, tile.c[m][n]);
    }
  }
}

template <MatrixInput kInput, int kDepth, bool kHalf>
void mma(Warp& w, const Decoded& d, u32 mask) {
  if (mask != kAllLanes) report(w, d, FindingKind::divergent_warp, __builtin_ctz(~mask), 0, 0, Space::reg, "a lane does not take part");
  constexpr int kResults = kHalf ? 2 : 4;
  constexpr int kInputs = 3 * kRows * kDepth / (kLanes * (kInput == MatrixInput::tf32 ? 1 : 2)) / 2;
  const u32* slots = slots_of(d);
  Tile<kDepth> tile;
  gather<kInput, kDepth>(w, slots + kResults, tile);
  for (int r = 0; r < 4; ++r) {
    const u32* from = w.lanes<u32>(slots[kResults + kInputs + (kHalf ? r / 2 : r)]);
    for (int i = 0; i < kLanes; ++i) element(tile.c, i, r) = kHalf ? from[i] >> (16 * (r % 2)) & 0xffff : from[i];
  }
  multiply<kInput, kDepth>(matrix_model(w, static_cast<int>(kInput), kHalf), tile);
  for (int r = 0; r < kResults; ++r)
    write_lanes(
        w.lanes<u32>(slots[r]), mask, [&](int i) __attribute__((always_inline)) {
          return kHalf ? element(tile.c, i, 2 * r) | element(tile.c, i, 2 * r + 1) << 16 : element(tile.c, i, r);
        });
}

}  // namespace
}  // namespace equinorm::vgpu
