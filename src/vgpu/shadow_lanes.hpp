// Shadows of 32 lanes at once, compiled for each instruction set. Private to the room.
#pragma once

#include "vgpu/handler.hpp"
#include "vgpu/pair.hpp"

namespace equinorm::vgpu {

/// A pair for each lane.
struct alignas(64) Pairs {
  double high[kLanes], low[kLanes];

  Pair operator[](int lane) const { return {high[lane], low[lane]}; }
  void set(int lane, Pair value) { high[lane] = value.high, low[lane] = value.low; }
};

/// Rounding errors of the instructions of one place, by lane: the order of the sums then depends on nothing but the program.
struct alignas(64) LineStatistics {
  double largest_ulp[kLanes] = {}, sum[kLanes] = {};
  u64 operations = 0;
};

struct ShadowKernels {
  /// r = op(a, b, c) for all lanes, op from add to neg without lg2, sin, cos and tanh. r may be one of the operands.
  void (*apply)(ShadowOp op, const Pairs& a, const Pairs& b, const Pairs& c, Pairs& r);
  /// As apply, in binary64 alone: low parts are taken for 0, and become 0.
  void (*apply_plain)(ShadowOp op, const Pairs& a, const Pairs& b, const Pairs& c, Pairs& r);
  /// The shadow in the lanes of `known`, the value in the others.
  void (*start)(const float* values, u32 known, const Pairs& shadow, Pairs& to);
  /// to = from in the lanes of the mask.
  void (*merge)(const Pairs& from, u32 mask, Pairs& to);
  /// Adds the error of r against op(a, b, c) in the lanes of the mask to the statistics: exactly for + - *, else within 2^-20 of itself.
  /// Returns the lanes where both are finite: the others are not counted.
  u32 (*note)(ShadowOp op, const float* a, const float* b, const float* c, const float* r, u32 mask, LineStatistics& line);
};

ShadowKernels shadow_kernels_portable();
ShadowKernels shadow_kernels_avx2();
ShadowKernels shadow_kernels_avx512();
/// Of scalar::simd_level().
ShadowKernels shadow_kernels();

}  // namespace equinorm::vgpu
