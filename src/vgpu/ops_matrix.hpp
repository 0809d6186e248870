// mma.sync: the fragments that PTX spreads over the lanes are gathered into matrices, multiplied by a matrix unit of
// scalar/tensor_core.hpp, and spread again.
#pragma once

#include "vgpu/matrix.hpp"
#include "vgpu/ops_warp.hpp"

namespace equinorm::vgpu {
namespace {

inline constexpr int kRows = 16, kColumns = 8;

/// The number in bits [16 half, 16 half + 16) of a register, or in all of it.
template <Type kInput>
EQUINORM_INLINE float number_in(u32 word, int half) {
  if constexpr (kInput == Type::tf32) return cast_bits<float>(word);
  const auto bits = static_cast<u16>(word >> (16 * half));
  return cast_bits<float>(kInput == Type::bf16 ? WidenBf16::apply(bits) : WidenFp16::apply(bits));
}

/// Lane l = 4 g + t. Register r of A holds row g + 8 (r % 2) from k = t s + 4 s (r/2) on, where a 32-bit register holds s = 1 (tf32) or 2
/// numbers; B likewise with column g.
template <Type kInput, int kDepth>
EQUINORM_INLINE void gather(const Warp& w, const u32* slots, float (&a)[kRows][kDepth], float (&b)[kDepth][kColumns]) {
  constexpr int kPerRegister = kInput == Type::tf32 ? 1 : 2;
  constexpr int kRegisters = kRows * kDepth / (kLanes * kPerRegister);
  constexpr int kStep = 4 * kPerRegister;
  for (int r = 0; r < kRegisters; ++r) {
    const u32* from = w.lanes<u32>(slots[r]);
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < kPerRegister; ++h)
        a[i / 4 + 8 * (r % 2)][i % 4 * kPerRegister + kStep * (r / 2) + h] = number_in<kInput>(from[i], h);
  }
  for (int r = 0; r < kRegisters / 2; ++r) {
    const u32* from = w.lanes<u32>(slots[kRegisters + r]);
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < kPerRegister; ++h) b[i % 4 * kPerRegister + kStep * r + h][i / 4] = number_in<kInput>(from[i], h);
  }
}

/// Row and column of element `e` (0..3) of lane i's accumulator.
EQUINORM_INLINE u32& element(u32 (&c)[kRows][kColumns], int i, int e) { return c[i / 4 + e / 2 * 8][i % 4 * 2 + e % 2]; }

template <Type kInput, int kDepth, bool kHalf>
void mma(Warp& w, const Decoded& d, u32 mask) {
  if (mask != kAllLanes) report(w, d, FindingKind::divergent_warp, __builtin_ctz(~mask), 0, 0, Space::reg, "a lane does not take part");
  constexpr int kResults = kHalf ? 2 : 4;
  constexpr int kInputs = 3 * kRows * kDepth / (kLanes * (kInput == Type::tf32 ? 1 : 2)) / 2;
  const u32* slots = slots_of(d);
  float a[kRows][kDepth], b[kDepth][kColumns];
  u32 c[kRows][kColumns];
  gather<kInput, kDepth>(w, slots + kResults, a, b);
  for (int r = 0; r < 4; ++r) {
    const u32* from = w.lanes<u32>(slots[kResults + kInputs + (kHalf ? r / 2 : r)]);
    for (int i = 0; i < kLanes; ++i) element(c, i, r) = kHalf ? from[i] >> (16 * (r % 2)) & 0xffff : from[i];
  }
  multiply_matrices(w, d, kDepth, a[0], b[0], c[0]);
  for (int r = 0; r < kResults; ++r)
    write_lanes(
        w.lanes<u32>(slots[r]), mask, [&](int i) __attribute__((always_inline)) {
          return kHalf ? element(c, i, 2 * r) | element(c, i, 2 * r + 1) << 16 : element(c, i, r);
        });
}

}  // namespace
}  // namespace equinorm::vgpu
