// Bit fields, predicates, funnel shifts, byte permutation, comparison, selection.
#pragma once

#include "vgpu/ops_integer.hpp"

namespace equinorm::vgpu {
namespace {

/// Bits [position, position + length) of a; the signed form copies the highest bit taken, or the sign of a where that lies beyond it.
template <class T>
void extract_bits(Warp& w, const Decoded& d, u32 mask) {
  const T* a = w.lanes<T>(d.slot[1]);
  const u32 *position = w.lanes<u32>(d.slot[2]), *length = w.lanes<u32>(d.slot[3]);
  constexpr u32 kWidth = kBits<T>;
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u32 at = position[i] & 0xff, count = length[i] & 0xff;
        if (count == 0) return T(0);
        const bool is_signed_type = static_cast<T>(-1) < T(0);
        const u32 last = at + count - 1 < kWidth - 1 ? at + count - 1 : kWidth - 1;
        const bool fill = is_signed_type && (static_cast<Unsigned<T>>(a[i]) >> last & 1) != 0;
        const Unsigned<T> shifted = at >= kWidth ? Unsigned<T>(0) : static_cast<Unsigned<T>>(static_cast<Unsigned<T>>(a[i]) >> at);
        const u32 valid = at >= kWidth ? 0 : (count < kWidth - at ? count : kWidth - at);
        const Unsigned<T> keep = valid >= kWidth ? static_cast<Unsigned<T>>(-1) : static_cast<Unsigned<T>>((Unsigned<T>(1) << valid) - 1);
        return static_cast<T>((shifted & keep) | (fill ? static_cast<Unsigned<T>>(~keep) : Unsigned<T>(0)));
      });
}

/// The low `length` bits of a put into b at `position`.
template <class T>
void insert_bits(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  const u32 *position = w.lanes<u32>(d.slot[3]), *length = w.lanes<u32>(d.slot[4]);
  constexpr u32 kWidth = kBits<T>;
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u32 at = position[i] & 0xff, count = length[i] & 0xff;
        if (at >= kWidth) return b[i];
        const T low = count >= kWidth ? static_cast<T>(-1) : static_cast<T>((T(1) << count) - 1);
        const T field = static_cast<T>(low << at);
        return static_cast<T>((b[i] & ~field) | (static_cast<T>(a[i] << at) & field));
      });
}

template <class Op>
void predicates(Warp& w, const Decoded& d, u32 mask) {
  u32 second = read_predicate(w, d.slot[2]);
  if (d.negated) second = ~second;
  write_predicate(w, d.slot[0], Op::apply(read_predicate(w, d.slot[1]), second), mask);
}
void predicate_not(Warp& w, const Decoded& d, u32 mask) { write_predicate(w, d.slot[0], ~read_predicate(w, d.slot[1]), mask); }
void predicate_move(Warp& w, const Decoded& d, u32 mask) {
  write_predicate(w, d.slot[0], read_predicate(w, d.slot[1]) ^ (d.negated ? kAllLanes : 0), mask);
}

/// Any function of three bits, given as its truth table.
void logic3(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *c = w.lanes<u32>(d.slot[3]);
  const auto table = static_cast<u32>(d.immediate);
  u32 row[8];
  for (int i = 0; i < 8; ++i) row[i] = (table >> i & 1) != 0 ? kAllLanes : 0;
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u32 x = a[i], y = b[i], z = c[i];
        return (row[0] & ~x & ~y & ~z) | (row[1] & ~x & ~y & z) | (row[2] & ~x & y & ~z) | (row[3] & ~x & y & z) | (row[4] & x & ~y & ~z) |
               (row[5] & x & ~y & z) | (row[6] & x & y & ~z) | (row[7] & x & y & z);
      });
}

EQUINORM_INLINE u32 funnel_amount(const Decoded& d, u32 by) { return d.mode == 0 ? (by < 32 ? by : 32) : by & 31; }

/// The high (left) or low (right) word of the pair b:a shifted.
void funnel_left(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *by = w.lanes<u32>(d.slot[3]);
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u64 pair = static_cast<u64>(b[i]) << 32 | a[i];
        return static_cast<u32>(pair << funnel_amount(d, by[i]) >> 32);
      });
}
void funnel_right(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *by = w.lanes<u32>(d.slot[3]);
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u64 pair = static_cast<u64>(b[i]) << 32 | a[i];
        return static_cast<u32>(pair >> funnel_amount(d, by[i]));
      });
}

/// Each result byte is chosen from the 8 bytes of b:a by a nibble of c; bit 3 of the nibble copies the chosen byte's sign instead.
void permute_bytes(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *c = w.lanes<u32>(d.slot[3]);
  write_lanes(
      w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        const u64 pair = static_cast<u64>(b[i]) << 32 | a[i];
        u32 result = 0;
        for (u32 k = 0; k < 4; ++k) {
          const u32 nibble = c[i] >> (4 * k) & 15;
          const auto byte = static_cast<u32>(pair >> (8 * (nibble & 7)) & 0xff);
          result |= ((nibble & 8) == 0 ? byte : (byte & 0x80) != 0 ? 0xffu : 0u) << (8 * k);
        }
        return result;
      });
}

/// Bit i: test(a[i], b[i]).
template <class T, class Test>
EQUINORM_INLINE u32 lane_mask(const T* a, const T* b, Test test) {
  Unsigned<T> hit[kLanes];
  EQUINORM_LANES hit[i] = test(a[i], b[i]) ? 1 : 0;
  u32 result = 0;
  EQUINORM_LANES result |= static_cast<u32>(hit[i]) << i;
  return result;
}

template <class T>
EQUINORM_INLINE u32 compare_integers(int mode, const T* a, const T* b) {
  u32 result = 0;
  const auto collect = [&](auto test) __attribute__((always_inline)) { result = lane_mask(a, b, test); };
  switch (mode) {
    case 0:
      collect([](T x, T y) { return x == y; });
      break;
    case 1:
      collect([](T x, T y) { return x != y; });
      break;
    case 2:
    case 6:
      collect([](T x, T y) { return x < y; });
      break;
    case 3:
    case 7:
      collect([](T x, T y) { return x <= y; });
      break;
    case 4:
    case 8:
      collect([](T x, T y) { return x > y; });
      break;
    default:
      collect([](T x, T y) { return x >= y; });
  }
  return result;
}

/// Writes p = result op c and, if there is one, q = !result op c.
EQUINORM_INLINE void write_comparison(Warp& w, const Decoded& d, u32 result, u32 mask) {
  u32 slot = 0;
  const u32 first = d.slot[slot++];
  const u32 second = d.has_pair ? d.slot[slot++] : 0;
  slot += 2;
  u32 with = d.has_optional ? read_predicate(w, d.slot[slot]) : 0;
  if (d.negated) with = ~with;
  const auto combine = [&](u32 x) { return d.combine == 0 ? x : d.combine == 1 ? x & with : d.combine == 2 ? x | with : x ^ with; };
  const u32 p = combine(result), q = combine(~result);
  write_predicate(w, first, p, mask);
  if (d.has_pair) write_predicate(w, second, q, mask);
}

template <class T>
void compare(Warp& w, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  write_comparison(w, d, compare_integers(d.mode, w.lanes<T>(d.slot[at]), w.lanes<T>(d.slot[at + 1])), mask);
}

template <class T>
void choose(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  const u32 which = read_predicate(w, d.slot[3]) ^ (d.negated ? kAllLanes : 0);
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return (which >> i & 1) != 0 ? a[i] : b[i]; });
}

}  // namespace
}  // namespace equinorm::vgpu
