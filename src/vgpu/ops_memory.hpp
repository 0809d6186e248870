// Loads, stores, asynchronous copies, atomics. A warp's usual accesses (all lanes, 4-byte elements, everything allowed) are done here in
// one go; everything else goes lane by lane through access(), which checks and reports.
#pragma once

#include "vgpu/ops_convert.hpp"

namespace equinorm::vgpu {
namespace {

inline constexpr u32 kAllWritten = 0x02020202u;

/// Addresses of all lanes as offsets into a view.
EQUINORM_INLINE void lane_offsets(const Warp& w, const Decoded& d, u32 slot, bool is_64, s64 offset, u64 base, u64* to) {
  if (is_64) {
    const u64* a = w.lanes<u64>(slot);
    EQUINORM_LANES to[i] = a[i] + static_cast<u64>(offset) - base;
  } else {
    const u32* a = w.lanes<u32>(slot);
    EQUINORM_LANES to[i] = a[i] + static_cast<u64>(offset) - base;
  }
  static_cast<void>(d);
}

/// All 32 offsets are aligned and inside.
EQUINORM_INLINE bool all_inside(const View& view, const u64* offsets, u64 bytes) {
  if (view.size < bytes) return false;
  const u64 last = view.size - bytes;
  u64 bad = 0;
  EQUINORM_LANES bad |= (offsets[i] > last ? 1 : 0) | (offsets[i] & (bytes - 1));
  return bad == 0;
}
/// Lane i lies i * bytes behind lane 0.
EQUINORM_INLINE bool is_contiguous(const u64* offsets, u64 bytes) {
  u64 difference = 0;
  EQUINORM_LANES difference |= offsets[i] - offsets[0] - static_cast<u64>(i) * bytes;
  return difference == 0;
}
EQUINORM_INLINE bool is_uniform(const u64* offsets) {
  u64 difference = 0;
  EQUINORM_LANES difference |= offsets[i] ^ offsets[0];
  return difference == 0;
}
EQUINORM_INLINE u32 load_word(const void* from) {
  u32 word;
  __builtin_memcpy(&word, from, 4);
  return word;
}
EQUINORM_INLINE u64 load_double_word(const void* from) {
  u64 word;
  __builtin_memcpy(&word, from, 8);
  return word;
}
/// 128 states are all kWritten.
EQUINORM_INLINE bool all_written(const u8* state) {
  u32 bad = 0;
  EQUINORM_LANES bad |= load_word(state + 4 * i) ^ kAllWritten;
  return bad == 0;
}

/// Elements of 4 bytes, `kCount` to a lane, all lanes. Returns false, having done nothing, if anything is unusual.
template <int kCount>
EQUINORM_INLINE bool load_quick(Warp& w, const Decoded& d, const View& view, const u64* offsets) {
  if (!all_inside(view, offsets, 4 * kCount)) return false;
  const u32* slots = d.slot;
  if constexpr (kCount == 1) {
    u32* to = w.lanes<u32>(slots[0]);
    if (is_contiguous(offsets, 4)) {
      if (!all_written(view.state + offsets[0])) return false;
      __builtin_memcpy(to, view.data + offsets[0], 4 * kLanes);
      return true;
    }
    if (is_uniform(offsets)) {
      if (load_word(view.state + offsets[0]) != kAllWritten) return false;
      const u32 value = load_word(view.data + offsets[0]);
      EQUINORM_LANES to[i] = value;
      return true;
    }
  }
  u32 bad = 0;
  for (int k = 0; k < kCount; ++k)
    for (int i = 0; i < kLanes; ++i) bad |= load_word(view.state + offsets[i] + 4 * k) ^ kAllWritten;
  if (bad != 0) return false;
  u32* to[kCount];
  for (int k = 0; k < kCount; ++k) to[k] = w.lanes<u32>(slots[k]);
  for (int i = 0; i < kLanes; ++i)
    for (int k = 0; k < kCount; ++k) to[k][i] = load_word(view.data + offsets[i] + 4 * k);
  return true;
}

template <int kCount>
EQUINORM_INLINE bool store_quick(Warp& w, const Decoded& d, const View& view, const u64* offsets) {
  if (!all_inside(view, offsets, 4 * kCount)) return false;
  u32 bad = 0;
  for (int k = 0; k < kCount; ++k)
    for (int i = 0; i < kLanes; ++i) {
      const u32 state = load_word(view.state + offsets[i] + 4 * k);  // kUnwritten or kWritten: exactly one of two bits in each byte
      bad |= ((state | state >> 1) & 0x01010101u) ^ 0x01010101u;
    }
  if (bad != 0) return false;
  for (int i = 0; i < kLanes; ++i)
    for (int k = 0; k < kCount; ++k) {
      const u32 value = w.lanes<u32>(d.slot[k + 1])[i];
      __builtin_memcpy(view.data + offsets[i] + 4 * k, &value, 4);
      __builtin_memcpy(view.state + offsets[i] + 4 * k, &kAllWritten, 4);
    }
  return true;
}

EQUINORM_INLINE bool is_quick(const Decoded& d, u32 mask) { return mask == kAllLanes && d.register_bytes == 4 && d.source_bytes == 4; }

/// One lane's load of count elements of source_bytes into registers of register_bytes.
EQUINORM_INLINE void load_lane(Warp& w, const Decoded& d, int lane, const Spot& spot) {
  const int element = d.source_bytes;
  const std::byte* from = access(w, d, lane, spot, static_cast<u32>(element * d.count), false);
  const u32* slots = slots_of(d);
  for (int k = 0; k < d.count; ++k) {
    u64 bits = 0;
    if (from != nullptr) __builtin_memcpy(&bits, from + element * k, static_cast<std::size_t>(element));
    if (is_signed(d.type) && element < 8) bits = static_cast<u64>(static_cast<s64>(bits << (64 - 8 * element)) >> (64 - 8 * element));
    write_bits(w, slots[k], lane, d.register_bytes, bits);
  }
}
EQUINORM_INLINE void store_lane(Warp& w, const Decoded& d, int lane, const Spot& spot) {
  const int element = d.source_bytes;
  std::byte* to = access(w, d, lane, spot, static_cast<u32>(element * d.count), true);
  if (to == nullptr) return;
  const u32* slots = slots_of(d);
  for (int k = 0; k < d.count; ++k) {
    const u64 bits = read_bits(w, slots[k + 1], lane, d.register_bytes);
    __builtin_memcpy(to + element * k, &bits, static_cast<std::size_t>(element));
  }
}

template <bool kIsStore>
EQUINORM_INLINE void move_known(Warp& w, const Decoded& d, u32 mask, const View& view, Space space) {
  u64 offsets[kLanes];
  const u32* slots = slots_of(d);
  lane_offsets(w, d, slots[kIsStore ? 0 : d.count], d.address_is_64, d.offset, space == Space::shared ? 0 : view.base, offsets);
  if (is_quick(d, mask)) {
    bool done = false;
    if constexpr (kIsStore)
      done = d.count == 1   ? store_quick<1>(w, d, view, offsets)
             : d.count == 2 ? store_quick<2>(w, d, view, offsets)
                            : d.count == 4 && store_quick<4>(w, d, view, offsets);
    else
      done = d.count == 1   ? load_quick<1>(w, d, view, offsets)
             : d.count == 2 ? load_quick<2>(w, d, view, offsets)
                            : d.count == 4 && load_quick<4>(w, d, view, offsets);
    if (done) {
      if (space == Space::shared && w.block->races != nullptr) note_shared(w, d, mask, offsets, 4u * d.count, kIsStore);
      return;
    }
  }
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    if constexpr (kIsStore)
      store_lane(w, d, i, {view, offsets[i], space});
    else
      load_lane(w, d, i, {view, offsets[i], space});
  }
}
template <bool kIsStore>
EQUINORM_INLINE void move_other(Warp& w, const Decoded& d, u32 mask) {
  u64 addresses[kLanes];
  const u32* slots = slots_of(d);
  lane_offsets(w, d, slots[kIsStore ? 0 : d.count], d.address_is_64, d.offset, 0, addresses);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const Spot spot = locate(w, d, i, d.space, addresses[i]);
    if constexpr (kIsStore)
      store_lane(w, d, i, spot);
    else
      load_lane(w, d, i, spot);
  }
}
void load_global(Warp& w, const Decoded& d, u32 mask) { move_known<false>(w, d, mask, w.global, Space::global); }
void load_shared(Warp& w, const Decoded& d, u32 mask) { move_known<false>(w, d, mask, w.shared, Space::shared); }
void load_other(Warp& w, const Decoded& d, u32 mask) { move_other<false>(w, d, mask); }
void store_global(Warp& w, const Decoded& d, u32 mask) { move_known<true>(w, d, mask, w.global, Space::global); }
void store_shared(Warp& w, const Decoded& d, u32 mask) { move_known<true>(w, d, mask, w.shared, Space::shared); }
void store_other(Warp& w, const Decoded& d, u32 mask) { move_other<true>(w, d, mask); }

/// cp.async [to], [from], bytes {, bytes to read}: the rest is filled with zeros.
void copy_async(Warp& w, const Decoded& d, u32 mask) {
  u64 to[kLanes], from[kLanes];
  lane_offsets(w, d, d.slot[0], d.address_is_64, d.offset, 0, to);
  lane_offsets(w, d, d.slot[1], d.second_is_64, d.second_offset, 0, from);
  const auto size = static_cast<u32>(d.immediate);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const u64 wanted = d.has_optional ? read_bits(w, d.slot[2], i, d.register_bytes) : size;
    start_copy(w, d, i, to[i], from[i], wanted < size ? static_cast<u32>(wanted) : size, size);
  }
}
void copy_commit(Warp& w, const Decoded&, u32 mask) {
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) close_group(w, i);
}
void copy_wait(Warp& w, const Decoded& d, u32 mask) {
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) finish_copies(w, i, static_cast<u64>(d.immediate), false);
}
void copy_wait_all(Warp& w, const Decoded&, u32 mask) {
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0) finish_copies(w, i, 0, true);
}

/// Lanes act one after the other, in ascending order.
template <bool kReturns, bool kCompares>
EQUINORM_INLINE void atomic_lanes(Warp& w, const Decoded& d, u32 mask) {
  constexpr u32 kAddress = kReturns ? 1 : 0;
  u64 addresses[kLanes];
  lane_offsets(w, d, d.slot[kAddress], d.address_is_64, d.offset, 0, addresses);
  const int bytes = size_of(d.type);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const u64 operand = read_bits(w, d.slot[kAddress + 1], i, bytes);
    const u64 swap = kCompares ? read_bits(w, d.slot[kAddress + 2], i, bytes) : 0;
    const u64 old = atomic(w, d, i, addresses[i], operand, swap, kCompares);
    if constexpr (kReturns) write_bits(w, d.slot[0], i, bytes, old);
  }
}
void atomic_update(Warp& w, const Decoded& d, u32 mask) { atomic_lanes<true, false>(w, d, mask); }
void atomic_compare(Warp& w, const Decoded& d, u32 mask) { atomic_lanes<true, true>(w, d, mask); }
void atomic_reduce(Warp& w, const Decoded& d, u32 mask) { atomic_lanes<false, false>(w, d, mask); }

}  // namespace
}  // namespace equinorm::vgpu
