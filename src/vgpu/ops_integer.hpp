// Integer instructions. Op::apply is the instruction on one lane.
#pragma once

#include "vgpu/ops_common.hpp"

namespace equinorm::vgpu {
namespace {

template <class T>
struct UnsignedOf;
template <> struct UnsignedOf<u16> { using Type = u16; using Wide = u32; };
template <> struct UnsignedOf<s16> { using Type = u16; using Wide = s32; };
template <> struct UnsignedOf<u32> { using Type = u32; using Wide = u64; };
template <> struct UnsignedOf<s32> { using Type = u32; using Wide = s64; };
template <> struct UnsignedOf<u64> { using Type = u64; using Wide = unsigned __int128; };
template <> struct UnsignedOf<s64> { using Type = u64; using Wide = __int128; };
template <> struct UnsignedOf<float> { using Type = u32; };
template <> struct UnsignedOf<double> { using Type = u64; };
template <class T>
using Unsigned = typename UnsignedOf<T>::Type;
template <class T>
using Wide = typename UnsignedOf<T>::Wide;

template <class T>
inline constexpr bool kIsFloat = T(1) / T(2) != T(0);
template <class T>
inline constexpr int kBits = static_cast<int>(8 * sizeof(T));

struct Add {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(a + b); }
};
struct Sub {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(a - b); }
};
struct Mul {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    if constexpr (sizeof(T) == 2) return static_cast<T>(static_cast<u32>(a) * static_cast<u32>(b));
    return static_cast<T>(a * b);
  }
};
struct AddSaturated {
  EQUINORM_INLINE static s32 apply(s32 a, s32 b) {
    const s64 sum = static_cast<s64>(a) + b;
    return static_cast<s32>(sum > 0x7fffffff ? 0x7fffffff : sum < -0x80000000LL ? -0x80000000LL : sum);
  }
};
struct SubSaturated {
  EQUINORM_INLINE static s32 apply(s32 a, s32 b) {
    const s64 sum = static_cast<s64>(a) - b;
    return static_cast<s32>(sum > 0x7fffffff ? 0x7fffffff : sum < -0x80000000LL ? -0x80000000LL : sum);
  }
};
struct MulHigh {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b) >> kBits<T>); }
};
/// a b + c, low half; also the fused operation on floats in directed rounding (runtime.hpp).
struct MulAdd {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b, T c) { return Add::apply(Mul::apply(a, b), c); }
};
struct MulHighAdd {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b, T c) {
    return static_cast<T>(static_cast<Unsigned<T>>(MulHigh::apply(a, b)) + static_cast<Unsigned<T>>(c));
  }
};
/// Division by zero gives all ones, its remainder the dividend; the quotient of the smallest number by -1 wraps.
struct Quotient {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if (static_cast<T>(-1) < T(0) && b == static_cast<T>(-1)) return static_cast<T>(0 - static_cast<Unsigned<T>>(a));
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    if (b == 0) return a;
    if (static_cast<T>(-1) < T(0) && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Magnitude {
  template <class T>
  EQUINORM_INLINE static T apply(T a) { return a < 0 ? static_cast<T>(0 - static_cast<Unsigned<T>>(a)) : a; }
};
struct Negative {
  template <class T>
  EQUINORM_INLINE static T apply(T a) { return static_cast<T>(0 - a); }
};
struct Smaller {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return a < b ? a : b; }
};
struct Larger {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return a > b ? a : b; }
};
struct And {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(a & b); }
};
struct Or {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(a | b); }
};
struct Xor {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) { return static_cast<T>(a ^ b); }
};
struct Not {
  template <class T>
  EQUINORM_INLINE static T apply(T a) { return static_cast<T>(~a); }
};
struct Same {
  template <class T>
  EQUINORM_INLINE static T apply(T a) { return a; }
};
struct Cast {
  template <class T>
  EQUINORM_INLINE static T apply(T a) { return a; }
};
struct Ones {
  template <class T>
  EQUINORM_INLINE static u32 apply(T a) { return static_cast<u32>(__builtin_popcountll(a)); }
};
struct LeadingZeros {
  template <class T>
  EQUINORM_INLINE static u32 apply(T a) { return static_cast<u32>(a == 0 ? kBits<T> : __builtin_clzll(a) - 64 + kBits<T>); }
};
/// Position of the highest bit that differs from the sign (unsigned: of the highest one); all ones if there is none.
struct HighestBit {
  template <class T>
  EQUINORM_INLINE static u32 apply(T a) {
    const auto bits = static_cast<Unsigned<T>>(a < 0 ? ~a : a);
    return bits == 0 ? ~0u : static_cast<u32>(63 - __builtin_clzll(bits));
  }
};
struct Reversed {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    T result = 0;
    for (int bit = 0; bit < kBits<T>; ++bit) result = static_cast<T>(result << 1 | (a >> bit & 1));
    return result;
  }
};
/// Shifts by the width or more give 0, or the sign.
struct ShiftLeft {
  template <class T>
  EQUINORM_INLINE static T apply(T a, u32 b) {
    const u32 by = b & (sizeof(T) == 8 ? 63 : 31);
    return b < static_cast<u32>(kBits<T>) ? static_cast<T>(static_cast<Unsigned<T>>(a) << by) : T(0);
  }
};
struct ShiftRight {
  template <class T>
  EQUINORM_INLINE static T apply(T a, u32 b) {
    const u32 by = b < static_cast<u32>(kBits<T>) ? b : static_cast<u32>(kBits<T> - 1);
    const T shifted = static_cast<T>(a >> by);
    return b < static_cast<u32>(kBits<T>) || static_cast<T>(-1) < T(0) ? shifted : T(0);
  }
};
struct CopySign {
  EQUINORM_INLINE static u32 apply(u32 a, u32 b) { return (a & 0x80000000u) | (b & 0x7fffffffu); }
};

template <class W, class T>
void mul_wide(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  write_lanes(w.lanes<W>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return static_cast<W>(static_cast<W>(a[i]) * static_cast<W>(b[i])); });
}
template <class W, class T>
void mad_wide(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  const W* c = w.lanes<W>(d.slot[3]);
  write_lanes(w.lanes<W>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
    return static_cast<W>(static_cast<Unsigned<W>>(static_cast<W>(a[i]) * static_cast<W>(b[i])) + static_cast<Unsigned<W>>(c[i]));
  });
}

/// Bits [position, position + length) of a; the signed form copies the highest bit taken, or the sign of a where that lies beyond it.
template <class T>
void extract_bits(Warp& w, const Decoded& d, u32 mask) {
  const T* a = w.lanes<T>(d.slot[1]);
  const u32 *position = w.lanes<u32>(d.slot[2]), *length = w.lanes<u32>(d.slot[3]);
  constexpr u32 kWidth = kBits<T>;
  write_lanes(w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
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
  write_lanes(w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
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
  write_lanes(w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
    const u32 x = a[i], y = b[i], z = c[i];
    return (row[0] & ~x & ~y & ~z) | (row[1] & ~x & ~y & z) | (row[2] & ~x & y & ~z) | (row[3] & ~x & y & z) | (row[4] & x & ~y & ~z) |
           (row[5] & x & ~y & z) | (row[6] & x & y & ~z) | (row[7] & x & y & z);
  });
}

EQUINORM_INLINE u32 funnel_amount(const Decoded& d, u32 by) { return d.mode == 0 ? (by < 32 ? by : 32) : by & 31; }

/// The high (left) or low (right) word of the pair b:a shifted.
void funnel_left(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *by = w.lanes<u32>(d.slot[3]);
  write_lanes(w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
    const u64 pair = static_cast<u64>(b[i]) << 32 | a[i];
    return static_cast<u32>(pair << funnel_amount(d, by[i]) >> 32);
  });
}
void funnel_right(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *by = w.lanes<u32>(d.slot[3]);
  write_lanes(w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
    const u64 pair = static_cast<u64>(b[i]) << 32 | a[i];
    return static_cast<u32>(pair >> funnel_amount(d, by[i]));
  });
}

/// Each result byte is chosen from the 8 bytes of b:a by a nibble of c; bit 3 of the nibble copies the chosen byte's sign instead.
void permute_bytes(Warp& w, const Decoded& d, u32 mask) {
  const u32 *a = w.lanes<u32>(d.slot[1]), *b = w.lanes<u32>(d.slot[2]), *c = w.lanes<u32>(d.slot[3]);
  write_lanes(w.lanes<u32>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
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

template <class T>
EQUINORM_INLINE u32 compare_integers(int mode, const T* a, const T* b) {
  u32 result = 0;
  const auto collect = [&](auto test) __attribute__((always_inline)) {
    u8 hit[kLanes];
    EQUINORM_LANES hit[i] = test(a[i], b[i]) ? 1 : 0;
    for (int i = 0; i < kLanes; ++i) result |= static_cast<u32>(hit[i]) << i;
  };
  switch (mode) {
    case 0: collect([](T x, T y) { return x == y; }); break;
    case 1: collect([](T x, T y) { return x != y; }); break;
    case 2: case 6: collect([](T x, T y) { return x < y; }); break;
    case 3: case 7: collect([](T x, T y) { return x <= y; }); break;
    case 4: case 8: collect([](T x, T y) { return x > y; }); break;
    default: collect([](T x, T y) { return x >= y; });
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
  write_lanes(w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return (which >> i & 1) != 0 ? a[i] : b[i]; });
}

}  // namespace
}  // namespace equinorm::vgpu
