// Instructions among the lanes of a warp.
#pragma once

#include "vgpu/ops_memory.hpp"

namespace equinorm::vgpu {
namespace {

/// A .sync instruction must be executed together by all live lanes of its member mask, and by no others.
EQUINORM_INLINE void check_members(Warp& w, const Decoded& d, u32 mask, u32 slot) {
  const u32 members = w.lanes<u32>(slot)[__builtin_ctz(mask)];
  const u32 absent = members & w.live & ~mask, alien = mask & ~members;
  if (absent != 0)
    report(w, d, FindingKind::divergent_warp, __builtin_ctz(absent), members, 0, Space::reg, "a member lane does not take part");
  if (alien != 0)
    report(w, d, FindingKind::divergent_warp, __builtin_ctz(alien), members, 0, Space::reg, "a lane that is no member takes part");
}

void shuffle(Warp& w, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  check_members(w, d, mask, d.slot[at + 3]);
  const u32 *a = w.lanes<u32>(d.slot[at]), *b = w.lanes<u32>(d.slot[at + 1]), *c = w.lanes<u32>(d.slot[at + 2]);
  u32 from[kLanes], inside[kLanes], r[kLanes];
  shuffle_sources(d.mode, b, c, from, inside);
  EQUINORM_LANES r[i] = a[from[i]];
  if (mask != kAllLanes) {
    u32 absent = 0;
    for (int i = 0; i < kLanes; ++i) absent |= static_cast<u32>((mask >> from[i] & 1) == 0) << i;
    if ((absent & mask) != 0)
      report(w, d, FindingKind::divergent_warp, __builtin_ctz(absent & mask), 0, 0, Space::reg,
             "reads the register of a lane that does not take part");
  }
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return r[i]; });
  if (d.has_pair) {
    u32 in = 0;
    EQUINORM_LANES in |= inside[i] << i;
    write_predicate(w, d.slot[1], in, mask);
  }
}

void vote(Warp& w, const Decoded& d, u32 mask) {
  check_members(w, d, mask, d.slot[2]);
  const u32 yes = (read_predicate(w, d.slot[1]) ^ (d.negated ? kAllLanes : 0)) & mask;
  const bool result = d.mode == 0 ? yes == mask : d.mode == 1 ? yes != 0 : yes == mask || yes == 0;
  write_predicate(w, d.slot[0], result ? kAllLanes : 0, mask);
}
void ballot(Warp& w, const Decoded& d, u32 mask) {
  check_members(w, d, mask, d.slot[2]);
  const u32 yes = (read_predicate(w, d.slot[1]) ^ (d.negated ? kAllLanes : 0)) & mask;
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int) __attribute__((always_inline)) { return yes; });
}
void active_mask(Warp& w, const Decoded& d, u32 mask) {
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int) __attribute__((always_inline)) { return mask; });
}

template <class T>
void match_any(Warp& w, const Decoded& d, u32 mask) {
  check_members(w, d, mask, d.slot[2]);
  const T* a = w.lanes<T>(d.slot[1]);
  u32 r[kLanes] = {};
  for (int i = 0; i < kLanes; ++i)
    for (int k = 0; k < kLanes; ++k) r[i] |= static_cast<u32>((mask >> k & 1) != 0 && a[k] == a[i]) << k;
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return r[i]; });
}
template <class T>
void match_all(Warp& w, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  check_members(w, d, mask, d.slot[at + 1]);
  const T* a = w.lanes<T>(d.slot[at]);
  bool same = true;
  for (int i = 0; i < kLanes; ++i) same &= (mask >> i & 1) == 0 || a[i] == a[__builtin_ctz(mask)];
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int) __attribute__((always_inline)) { return same ? mask : 0u; });
  if (d.has_pair) write_predicate(w, d.slot[1], same ? kAllLanes : 0, mask);
}

template <class T>
void reduce_warp(Warp& w, const Decoded& d, u32 mask) {
  check_members(w, d, mask, d.slot[2]);
  const T* a = w.lanes<T>(d.slot[1]);
  T r = a[__builtin_ctz(mask)];
  for (int i = __builtin_ctz(mask) + 1; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    switch (d.mode) {
      case 0:
        r = static_cast<T>(static_cast<u32>(r) + static_cast<u32>(a[i]));
        break;
      case 1:
        r = Smaller::apply(r, a[i]);
        break;
      case 2:
        r = Larger::apply(r, a[i]);
        break;
      case 3:
        r &= a[i];
        break;
      case 4:
        r |= a[i];
        break;
      default:
        r ^= a[i];
    }
  }
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int) __attribute__((always_inline)) { return r; });
}

/// Elects the lowest lane.
void elect(Warp& w, const Decoded& d, u32 mask) {
  check_members(w, d, mask, d.slot[d.has_pair ? 2 : 1]);
  const auto leader = static_cast<u32>(__builtin_ctz(mask));
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int) __attribute__((always_inline)) { return leader; });
  if (d.has_pair) write_predicate(w, d.slot[1], u32{1} << leader, mask);
}

/// Row r (0..7) of matrix k comes from the address in lane 8 k + r. Lane l gets the two numbers at row l/4, columns 2 (l%4) and the next;
/// transposed: at rows 2 (l%4) and the next, column l/4.
template <int kMatrices, bool kTransposed>
void load_matrix(Warp& w, const Decoded& d, u32 mask) {
  if (mask != kAllLanes) report(w, d, FindingKind::divergent_warp, __builtin_ctz(~mask), 0, 0, Space::reg, "a lane does not take part");
  u64 offsets[kLanes];
  lane_offsets(w, d.slot[kMatrices], d.address_is_64, d.offset, 0, offsets);
  u16 rows[kMatrices][8][8] = {};
  for (int k = 0; k < kMatrices; ++k)
    for (int r = 0; r < 8; ++r)
      if (const std::byte* from = access(w, d, 8 * k + r, {w.shared, offsets[8 * k + r], Space::shared}, 16, false))
        __builtin_memcpy(rows[k][r], from, 16);
  for (int k = 0; k < kMatrices; ++k) {
    const auto& m = rows[k];
    write_lanes(
        w.lanes<u32>(d.slot[k]), mask, [&](int i) __attribute__((always_inline)) {
          const int major = i / 4, minor = i % 4 * 2;
          return kTransposed ? static_cast<u32>(m[minor][major]) | static_cast<u32>(m[minor + 1][major]) << 16
                             : static_cast<u32>(m[major][minor]) | static_cast<u32>(m[major][minor + 1]) << 16;
        });
  }
}

/// load_matrix the other way.
template <int kMatrices, bool kTransposed>
void store_matrix(Warp& w, const Decoded& d, u32 mask) {
  if (mask != kAllLanes) report(w, d, FindingKind::divergent_warp, __builtin_ctz(~mask), 0, 0, Space::reg, "a lane does not take part");
  u64 offsets[kLanes];
  lane_offsets(w, d.slot[0], d.address_is_64, d.offset, 0, offsets);
  for (int k = 0; k < kMatrices; ++k) {
    const u32* from = w.lanes<u32>(d.slot[k + 1]);
    u16 m[8][8];
    for (int i = 0; i < kLanes; ++i)
      for (int h = 0; h < 2; ++h) {
        const int major = i / 4, minor = i % 4 * 2 + h;
        (kTransposed ? m[minor][major] : m[major][minor]) = static_cast<u16>(from[i] >> (16 * h));
      }
    for (int r = 0; r < 8; ++r)
      if (std::byte* to = access(w, d, 8 * k + r, {w.shared, offsets[8 * k + r], Space::shared}, 16, true)) __builtin_memcpy(to, m[r], 16);
  }
}

}  // namespace
}  // namespace equinorm::vgpu
