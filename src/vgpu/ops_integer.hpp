// Integer instructions. Op::apply is the instruction on one lane.
#pragma once

#include "vgpu/ops_common.hpp"

namespace equinorm::vgpu {
namespace {

template <class T>
struct UnsignedOf;
template <>
struct UnsignedOf<u16> {
  using Type = u16;
  using Wide = u32;
};
template <>
struct UnsignedOf<s16> {
  using Type = u16;
  using Wide = s32;
};
template <>
struct UnsignedOf<u32> {
  using Type = u32;
  using Wide = u64;
};
template <>
struct UnsignedOf<s32> {
  using Type = u32;
  using Wide = s64;
};
template <>
struct UnsignedOf<u64> {
  using Type = u64;
  using Wide = unsigned __int128;
};
template <>
struct UnsignedOf<s64> {
  using Type = u64;
  using Wide = __int128;
};
template <>
struct UnsignedOf<float> {
  using Type = u32;
};
template <>
struct UnsignedOf<double> {
  using Type = u64;
};
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
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(a + b);
  }
};
struct Sub {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(a - b);
  }
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
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b) >> kBits<T>);
  }
};
/// a b + c, low half; also the fused operation on floats in directed rounding (runtime.hpp).
struct MulAdd {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b, T c) {
    return Add::apply(Mul::apply(a, b), c);
  }
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
  EQUINORM_INLINE static T apply(T a) {
    return a < 0 ? static_cast<T>(0 - static_cast<Unsigned<T>>(a)) : a;
  }
};
struct Negative {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return static_cast<T>(0 - a);
  }
};
struct Smaller {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return a < b ? a : b;
  }
};
struct Larger {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return a > b ? a : b;
  }
};
struct And {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return static_cast<T>(~a);
  }
};
struct Same {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return a;
  }
};
struct Cast {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return a;
  }
};
struct Ones {
  template <class T>
  EQUINORM_INLINE static u32 apply(T a) {
    return static_cast<u32>(__builtin_popcountll(a));
  }
};
struct LeadingZeros {
  template <class T>
  EQUINORM_INLINE static u32 apply(T a) {
    return static_cast<u32>(a == 0 ? kBits<T> : __builtin_clzll(a) - 64 + kBits<T>);
  }
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
  write_lanes(
      w.lanes<W>(d.slot[0]),
      mask, [&](int i) __attribute__((always_inline)) { return static_cast<W>(static_cast<W>(a[i]) * static_cast<W>(b[i])); });
}
template <class W, class T>
void mad_wide(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  const W* c = w.lanes<W>(d.slot[3]);
  write_lanes(
      w.lanes<W>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) {
        return static_cast<W>(static_cast<Unsigned<W>>(static_cast<W>(a[i]) * static_cast<W>(b[i])) + static_cast<Unsigned<W>>(c[i]));
      });
}

}  // namespace
}  // namespace equinorm::vgpu
