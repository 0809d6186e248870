// Loads, stores, asynchronous copies, atomics. A warp's usual accesses (everything allowed) are done here in one go; everything else goes
// lane by lane through access(), which checks and reports.
#pragma once

#include "vgpu/ops_races.hpp"

namespace equinorm::vgpu {
namespace {

/// Addresses of all lanes as offsets into a view.
EQUINORM_INLINE void lane_offsets(const Warp& w, u32 slot, bool is_64, s64 offset, u64 base, u64* to) {
  if (is_64) {
    const u64* a = w.lanes<u64>(slot);
    EQUINORM_LANES to[i] = a[i] + static_cast<u64>(offset) - base;
  } else {
    const u32* a = w.lanes<u32>(slot);
    EQUINORM_LANES to[i] = a[i] + static_cast<u64>(offset) - base;
  }
}

/// The pattern of a full warp's accesses of kBytes bytes, and the offset of the first.
template <u64 kBytes>
EQUINORM_INLINE Pattern find_pattern(const Warp& w, u32 slot, bool is_64, s64 offset, u64 base, u64& first) {
  const auto look = [&](const auto* a) __attribute__((always_inline)) {
    first = a[0] + static_cast<u64>(offset) - base;
    // A row of 32-bit addresses must not wrap.
    if (a[1] - a[0] == kBytes) return is_row<kBytes>(a) && a[31] > a[0] ? Pattern::row : Pattern::scattered;
    return a[1] == a[0] && is_row<0>(a) ? Pattern::uniform : Pattern::scattered;
  };
  return is_64 ? look(w.lanes<u64>(slot)) : look(w.lanes<u32>(slot));
}

EQUINORM_INLINE u64 load_double_word(const void* from) {
  u64 word;
  __builtin_memcpy(&word, from, 8);
  return word;
}
inline constexpr u64 kAllWritten = 0x0202020202020202u;

/// All kPage states of a page are kWritten.
EQUINORM_INLINE bool page_is_written(const u8* state) {
  u64 bad = 0;
  for (u64 i = 0; i < View::kPage; i += 8) bad |= load_double_word(state + i) ^ kAllWritten;
  return bad == 0;
}
/// Whether [offset, offset + bytes) lies in settled pages, bytes <= 4 kPage; settles those that can be.
EQUINORM_INLINE bool is_settled(const View& view, u64 offset, u64 bytes) {
  for (u64 page = offset / View::kPage; page <= (offset + bytes - 1) / View::kPage; ++page) {
    if (__atomic_load_n(view.settled + page, __ATOMIC_RELAXED) != 0) continue;
    if (!page_is_written(view.state + page * View::kPage)) return false;
    __atomic_store_n(view.settled + page, u8{1}, __ATOMIC_RELAXED);
  }
  return true;
}
/// Whether `bytes` bytes may be read (all kWritten) or written (none kForbidden).
template <bool kIsStore>
EQUINORM_INLINE bool is_allowed(const u8* state, u64 bytes) {
  const u8 least = kIsStore ? kUnwritten : kWritten;
  u32 bad = 0;
  for (u64 i = 0; i < bytes; ++i) bad |= state[i] < least ? 1 : 0;
  return bad == 0;
}

/// Marks what is read of global memory for a journal; bytes <= 4 kPage.
EQUINORM_INLINE void note_read(u64* read, u64 offset, u64 bytes) {
  const u64 first = offset / View::kReadGranule, last = (offset + bytes - 1) / View::kReadGranule;
  for (u64 word = first / 64; word <= last / 64; ++word) {
    const u64 from = first > word * 64 ? first - word * 64 : 0, to = last < word * 64 + 63 ? last - word * 64 : 63;
    read[word] |= ~u64{0} >> (63 - to + from) << from;
  }
}

/// E, a number in memory, from and to a register of type R.
template <class R, class E>
EQUINORM_INLINE void load_element(const std::byte* from, R& to) {
  E element;
  __builtin_memcpy(&element, from, sizeof(E));
  to = static_cast<R>(element);
}
template <class R, class E>
EQUINORM_INLINE void store_element(std::byte* to, R from) {
  const E element = static_cast<E>(from);
  __builtin_memcpy(to, &element, sizeof(E));
}

/// A full warp's row or single element. Returns false, having done nothing, if anything is unusual.
template <bool kIsStore, class R, class E, int kCount>
EQUINORM_INLINE bool move_row(Warp& w, const u32* slots, const View& view, Space space, Pattern pattern, u64 first) {
  constexpr u64 kBytes = sizeof(E) * kCount;
  const u64 span = pattern == Pattern::row ? kBytes * kLanes : kBytes;
  if (view.size < span || first > view.size - span || (first & (kBytes - 1)) != 0) return false;
  const bool settled = is_settled(view, first, span);
  if (!settled && !is_allowed<kIsStore>(view.state + first, span)) return false;
  if (space == Space::global && w.journal != nullptr) {
    if constexpr (kIsStore)
      note_global(w, first, span, true);
    else
      note_read(w.global_read, first, span);
  }
  if (kIsStore && !settled) __builtin_memset(view.state + first, kWritten, span);
  std::byte* at = view.data + first;
  for (int k = 0; k < kCount; ++k, at += sizeof(E)) {
    R* lanes = w.lanes<R>(slots[k]);
    if constexpr (kIsStore) {
      EQUINORM_LANES store_element<R, E>(at + static_cast<u64>(i) * kBytes, lanes[i]);
    } else if (pattern == Pattern::row) {
      EQUINORM_LANES load_element<R, E>(at + static_cast<u64>(i) * kBytes, lanes[i]);
    } else {
      R value;
      load_element<R, E>(at, value);
      EQUINORM_LANES lanes[i] = value;
    }
  }
  return true;
}

/// Any lanes at any offsets. As above.
template <bool kIsStore, class R, class E, int kCount>
EQUINORM_INLINE bool move_scattered(Warp& w, const u32* slots, const View& view, Space space, u32 mask, const u64* offsets) {
  constexpr u64 kBytes = sizeof(E) * kCount;
  if (view.size < kBytes) return false;
  const u64 last = view.size - kBytes;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const u64 at = offsets[__builtin_ctz(rest)];
    if (at > last || (at & (kBytes - 1)) != 0) return false;
    if (view.settled[at / View::kPage] == 0 && !is_allowed<kIsStore>(view.state + at, kBytes)) return false;
  }
  const bool is_told = space == Space::global && w.journal != nullptr;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    std::byte* at = view.data + offsets[i];
    if (is_told) {
      if constexpr (kIsStore)
        note_global(w, offsets[i], kBytes, true);
      else
        note_read(w.global_read, offsets[i], kBytes);
    }
    if constexpr (kIsStore) __builtin_memset(view.state + offsets[i], kWritten, kBytes);
    for (int k = 0; k < kCount; ++k, at += sizeof(E)) {
      R& lane = w.lanes<R>(slots[k])[i];
      if constexpr (kIsStore)
        store_element<R, E>(at, lane);
      else
        load_element<R, E>(at, lane);
    }
  }
  return true;
}

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
EQUINORM_INLINE void move_lanes(Warp& w, const Decoded& d, u32 mask, const View& view, Space space) {
  u64 offsets[kLanes];
  lane_offsets(w, slots_of(d)[kIsStore ? 0 : d.count], d.address_is_64, d.offset, space == Space::shared ? 0 : view.base, offsets);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    if constexpr (kIsStore)
      store_lane(w, d, i, {view, offsets[i], space});
    else
      load_lane(w, d, i, {view, offsets[i], space});
  }
}

/// The usual accesses, all at once; everything else goes lane by lane through access(), which checks and reports.
template <bool kIsStore, class R, class E, int kCount>
EQUINORM_INLINE void move_elements(Warp& w, const Decoded& d, u32 mask, const View& view, Space space) {
  const u32* slots = slots_of(d);
  const u32 address = slots[kIsStore ? 0 : kCount];
  const u32* data = slots + (kIsStore ? 1 : 0);
  const u64 base = space == Space::shared ? 0 : view.base;
  u64 offsets[kLanes];
  u64 first = 0;
  const auto pattern =
      mask == kAllLanes ? find_pattern<sizeof(E) * kCount>(w, address, d.address_is_64, d.offset, base, first) : Pattern::scattered;
  const bool races = space == Space::shared && w.block->races != nullptr;
  if (pattern != Pattern::scattered && !(kIsStore && pattern == Pattern::uniform) &&
      move_row<kIsStore, R, E, kCount>(w, data, view, space, pattern, first)) {
    if (races) note_shared_row(w, d, pattern, first, sizeof(E) * kCount, kIsStore);
    return;
  }
  lane_offsets(w, address, d.address_is_64, d.offset, base, offsets);
  if (move_scattered<kIsStore, R, E, kCount>(w, data, view, space, mask, offsets)) {
    if (races) note_shared(w, d, mask, offsets, sizeof(E) * kCount, kIsStore);
    return;
  }
  move_lanes<kIsStore>(w, d, mask, view, space);
}
template <bool kIsStore, class R, class E>
EQUINORM_INLINE void move_counted(Warp& w, const Decoded& d, u32 mask, const View& view, Space space) {
  switch (d.count) {
    case 1:
      return move_elements<kIsStore, R, E, 1>(w, d, mask, view, space);
    case 2:
      return move_elements<kIsStore, R, E, 2>(w, d, mask, view, space);
    case 4:
      return move_elements<kIsStore, R, E, 4>(w, d, mask, view, space);
    default:
      return move_lanes<kIsStore>(w, d, mask, view, space);
  }
}
/// By the widths of the register and of the number in memory.
template <bool kIsStore>
EQUINORM_INLINE void move_known(Warp& w, const Decoded& d, u32 mask, const View& view, Space space) {
  if (d.register_bytes == 4 && d.source_bytes == 4) return move_counted<kIsStore, u32, u32>(w, d, mask, view, space);
  const int widths = d.register_bytes * 16 + d.source_bytes;
  if (widths == 0x88) return move_counted<kIsStore, u64, u64>(w, d, mask, view, space);
  if (widths == 0x22) return move_counted<kIsStore, u16, u16>(w, d, mask, view, space);
  if (d.count != 1) return move_lanes<kIsStore>(w, d, mask, view, space);
  const bool sign = !kIsStore && is_signed(d.type);
  if (widths == 0x42 && !sign) return move_elements<kIsStore, u32, u16, 1>(w, d, mask, view, space);
  if (widths == 0x21 && !sign) return move_elements<kIsStore, u16, u8, 1>(w, d, mask, view, space);
  if (widths == 0x41 && !sign) return move_elements<kIsStore, u32, u8, 1>(w, d, mask, view, space);
  if (widths == 0x84 && sign) return move_elements<kIsStore, u64, s32, 1>(w, d, mask, view, space);
  move_lanes<kIsStore>(w, d, mask, view, space);
}
template <bool kIsStore>
EQUINORM_INLINE void move_other(Warp& w, const Decoded& d, u32 mask) {
  u64 addresses[kLanes];
  const u32* slots = slots_of(d);
  lane_offsets(w, slots[kIsStore ? 0 : d.count], d.address_is_64, d.offset, 0, addresses);
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
  lane_offsets(w, d.slot[0], d.address_is_64, d.offset, 0, to);
  lane_offsets(w, d.slot[1], d.second_is_64, d.second_offset, 0, from);
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
  lane_offsets(w, d.slot[kAddress], d.address_is_64, d.offset, 0, addresses);
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
