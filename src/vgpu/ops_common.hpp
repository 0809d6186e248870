// Loops over the lanes of a warp. Everything in ops_*.hpp is compiled once for every instruction set, into a namespace without a name, and
// calls nothing inline of the standard library: an out-of-line copy could be merged with one that the processor cannot run.
#pragma once

#include "vgpu/handler.hpp"
#include "vgpu/runtime.hpp"

#define EQUINORM_INLINE [[gnu::always_inline]] inline
#define EQUINORM_LANES _Pragma("GCC ivdep") for (int i = 0; i < kLanes; ++i)

namespace equinorm::vgpu {
namespace {

template <class T>
EQUINORM_INLINE T cast_bits(auto from) {
  static_assert(sizeof(T) == sizeof(from));
  return __builtin_bit_cast(T, from);
}

/// result[i] = f(i) for the lanes of the mask. f may be called for the others too, so it must not fault.
template <class R, class F>
EQUINORM_INLINE void write_lanes(R* result, u32 mask, F f) {
  if (mask == kAllLanes) {
    EQUINORM_LANES result[i] = f(i);
  } else {
    EQUINORM_LANES result[i] = (mask >> i & 1) != 0 ? f(i) : result[i];
  }
}

template <class R, class A, class Op>
void map_to(Warp& w, const Decoded& d, u32 mask) {
  const A* a = w.lanes<A>(d.slot[1]);
  write_lanes(
      w.lanes<R>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return static_cast<R>(Op::apply(a[i])); });
}
template <class T, class Op>
void map1(Warp& w, const Decoded& d, u32 mask) {
  map_to<T, T, Op>(w, d, mask);
}
template <class T, class Op, class B = T>
void map2(Warp& w, const Decoded& d, u32 mask) {
  const T* a = w.lanes<T>(d.slot[1]);
  const B* b = w.lanes<B>(d.slot[2]);
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return static_cast<T>(Op::apply(a[i], b[i])); });
}
template <class T, class Op>
void map3(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]), *c = w.lanes<T>(d.slot[3]);
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return static_cast<T>(Op::apply(a[i], b[i], c[i])); });
}

/// Whether a[i] = a[0] + i kStep for all lanes. The step is a constant: processors are slow at 64-bit products.
template <u64 kStep, class A>
EQUINORM_INLINE bool is_row(const A* a) {
  A difference = 0;
  EQUINORM_LANES difference |= a[i] - a[0] - static_cast<A>(static_cast<u64>(i) * kStep);
  return difference == 0;
}

/// Where each lane's value comes from: from[i], and whether that lies inside the segment; if not, the lane keeps its own.
template <int kMode>
EQUINORM_INLINE void shuffle_sources_of(const u32* b, const u32* c, u32* from, u32* inside) {
  EQUINORM_LANES {
    const u32 lane = static_cast<u32>(i), by = b[i] & 31, clamp = c[i] & 31, segment = c[i] >> 8 & 31;
    const u32 last = (lane & segment) | (clamp & ~segment), first = lane & segment;
    const u32 source = kMode == 0 ? lane - by : kMode == 1 ? lane + by : kMode == 2 ? lane ^ by : first | (by & ~segment);
    const bool in = kMode == 0 ? static_cast<s32>(source) >= static_cast<s32>(last) : source <= last;
    inside[i] = in ? 1 : 0;
    from[i] = in ? source & 31 : lane;
  }
}
EQUINORM_INLINE void shuffle_sources(int mode, const u32* b, const u32* c, u32* from, u32* inside) {
  if (mode == 0)
    shuffle_sources_of<0>(b, c, from, inside);
  else if (mode == 1)
    shuffle_sources_of<1>(b, c, from, inside);
  else if (mode == 2)
    shuffle_sources_of<2>(b, c, from, inside);
  else
    shuffle_sources_of<3>(b, c, from, inside);
}

/// A mask written to a predicate for the lanes of `mask`.
EQUINORM_INLINE void write_predicate(Warp& w, u32 slot, u32 value, u32 mask) {
  u32& predicate = *w.lanes<u32>(slot);
  predicate = (predicate & ~mask) | (value & mask);
}
EQUINORM_INLINE u32 read_predicate(const Warp& w, u32 slot) { return *w.lanes<u32>(slot); }

}  // namespace
}  // namespace equinorm::vgpu
