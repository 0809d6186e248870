// Rounding to a narrower format and to odd, written once for one number and for a SIMD vector of them.
//
// This header is compiled for several instruction sets into one program, so everything in it is forced inline and nothing of the standard
// library is called: an out-of-line copy could otherwise be merged with one that the processor cannot run.
#pragma once

#include <cstdint>

#include "scalar/format.hpp"

#define EQUINORM_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace equinorm::scalar {

template <class T>
struct CarrierIntegers;
template <>
struct CarrierIntegers<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
};
template <>
struct CarrierIntegers<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
};

/// N numbers of type T (float or double) in one register, and integers of the same width.
template <class T, int N>
struct Lanes {
  static constexpr int kCount = N;
  using Element = T;
  typedef T Float __attribute__((vector_size(N * sizeof(T))));
  typedef typename CarrierIntegers<T>::Signed Signed __attribute__((vector_size(N * sizeof(T))));
  typedef typename CarrierIntegers<T>::Unsigned Unsigned __attribute__((vector_size(N * sizeof(T))));
};
template <class T>
struct Lanes<T, 1> {
  static constexpr int kCount = 1;
  using Element = T;
  using Float = T;
  using Signed = typename CarrierIntegers<T>::Signed;
  using Unsigned = typename CarrierIntegers<T>::Unsigned;
};

/// Bit layout of `kFormat` seen as a subset of the carrier T.
template <class T, FormatKind kFormat>
struct Layout {
  using Bits = typename CarrierIntegers<T>::Unsigned;
  static constexpr int kMantissa = sizeof(T) == 4 ? 23 : 52;
  static constexpr int kBias = sizeof(T) == 4 ? 127 : 1023;
  static constexpr int kPrecision = kFormat == FormatKind::fp16   ? 11
                                    : kFormat == FormatKind::bf16 ? 8
                                    : kFormat == FormatKind::fp32 ? 24
                                                                  : 53;
  static constexpr int kMinExponent = kFormat == FormatKind::fp16 ? -14 : kFormat == FormatKind::fp64 ? -1022 : -126;
  static constexpr int kMaxExponent = kFormat == FormatKind::fp16 ? 15 : kFormat == FormatKind::fp64 ? 1023 : 127;
  static constexpr int kDropped = kMantissa - (kPrecision - 1);
  /// The format is the carrier itself.
  static constexpr bool kNative = kDropped == 0;
  /// Subnormals and overflow then need no care of their own: both lie where the carrier's do.
  static constexpr bool kSameRange = kMinExponent == 1 - kBias;

  static constexpr Bits power_of_two(int exponent) { return static_cast<Bits>(exponent + kBias) << kMantissa; }
  static constexpr Bits kAbsMask = ~Bits{0} >> 1;
  static constexpr Bits kInfinity = power_of_two(kBias + 1);
  static constexpr Bits kQuietNan = kInfinity | (Bits{1} << (kMantissa - 1));
  static constexpr Bits kSmallestNormal = power_of_two(kMinExponent);
  static constexpr Bits kOverflow = power_of_two(kMaxExponent + 1);
  /// Adding 2^k whose last bit is the format's smallest subnormal rounds a subnormal to that grid.
  static constexpr Bits kSubnormalMagic = power_of_two(kSameRange ? 0 : kMinExponent - (kPrecision - 1) + kMantissa);
};

template <class To, class From>
EQUINORM_ALWAYS_INLINE To bits_as(From from) {
  return __builtin_bit_cast(To, from);
}

/// Replaces every value below the format's smallest normal by a zero of its sign.
template <class L, FormatKind kFormat>
EQUINORM_ALWAYS_INLINE typename L::Float flush_subnormal(typename L::Float x) {
  using B = Layout<typename L::Element, kFormat>;
  using Signed = typename L::Signed;
  using Unsigned = typename L::Unsigned;
  const Unsigned bits = bits_as<Unsigned>(x);
  const Unsigned magnitude = bits & B::kAbsMask;
  const Signed smallest = bits_as<Signed>(Unsigned{} + B::kSmallestNormal);
  const Unsigned sign = bits & ~B::kAbsMask;
  return bits_as<typename L::Float>(bits_as<Signed>(magnitude) < smallest ? sign : bits);
}

/// x rounded to nearest-even into a format narrower than the carrier. With kNanSafe a NaN keeps its sign and leading payload bits and
/// becomes quiet; without it only NaNs whose dropped bits are zero are kept right (the ones that arithmetic on NaN-free operands makes).
template <class L, FormatKind kFormat, bool kNanSafe>
EQUINORM_ALWAYS_INLINE typename L::Float round_by_integers(typename L::Float x) {
  using B = Layout<typename L::Element, kFormat>;
  using Float = typename L::Float;
  using Signed = typename L::Signed;
  using Unsigned = typename L::Unsigned;
  constexpr typename B::Bits kHalf = (typename B::Bits{1} << (B::kDropped - 1)) - 1;
  constexpr typename B::Bits kKept = ~((typename B::Bits{1} << B::kDropped) - 1);
  const Unsigned bits = bits_as<Unsigned>(x);
  const Unsigned magnitude = bits & B::kAbsMask;
  const Unsigned base = B::kSameRange && !kNanSafe ? bits : magnitude;
  Unsigned rounded = (base + kHalf + ((bits >> B::kDropped) & typename B::Bits{1})) & kKept;
  if constexpr (B::kSameRange && !kNanSafe) return bits_as<Float>(rounded);
  const Signed signed_magnitude = bits_as<Signed>(magnitude);
  const Unsigned infinity = Unsigned{} + B::kInfinity;
  if constexpr (!B::kSameRange) {
    const Float magic = bits_as<Float>(Unsigned{} + B::kSubnormalMagic);
    const Unsigned subnormal = bits_as<Unsigned>((bits_as<Float>(magnitude) + magic) - magic);
    rounded = bits_as<Signed>(rounded) < bits_as<Signed>(Unsigned{} + B::kOverflow) ? rounded : infinity;
    rounded = signed_magnitude < bits_as<Signed>(Unsigned{} + B::kSmallestNormal) ? subnormal : rounded;
  }
  const Unsigned nan = (magnitude | B::kQuietNan) & kKept;
  rounded = signed_magnitude > bits_as<Signed>(infinity) ? nan : rounded;
  return bits_as<Float>(rounded | (bits & ~B::kAbsMask));
}

/// `s`, the nearest to an exact value that differs from it by something with the sign of `error` (0: nothing), turned into that value
/// rounded to odd: of the two neighbours of an inexact value, the one whose last bit is 1. Rounding it again to at least two bits fewer
/// gives what one rounding of the exact value gives. A NaN `error`, the mark of an overflow or of a NaN, leaves s alone.
template <class L>
EQUINORM_ALWAYS_INLINE typename L::Float to_odd(typename L::Float s, typename L::Float error) {
  using B = Layout<typename L::Element, FormatKind::fp16>;
  using Float = typename L::Float;
  using Signed = typename L::Signed;
  using Unsigned = typename L::Unsigned;
  const Unsigned s_bits = bits_as<Unsigned>(s);
  const Unsigned error_bits = bits_as<Unsigned>(error);
  constexpr int kSignShift = 8 * static_cast<int>(sizeof(typename L::Element)) - 1;
  const Unsigned one_less = bits_as<Unsigned>(bits_as<Signed>(s_bits ^ error_bits) >> kSignShift);
  const Unsigned odd = (s_bits + one_less) | typename B::Bits{1};
  return bits_as<Float>(bits_as<Float>(error_bits & B::kAbsMask) > Float{} ? odd : s_bits);
}

/// x + y rounded to odd (TwoSum gives the error exactly).
template <class L>
EQUINORM_ALWAYS_INLINE typename L::Float add_to_odd(typename L::Float x, typename L::Float y) {
  using Float = typename L::Float;
  const Float s = x + y;
  const Float y_part = s - x;
  const Float error = (x - (s - y_part)) + (y - y_part);
  return to_odd<L>(s, error);
}

}  // namespace equinorm::scalar
