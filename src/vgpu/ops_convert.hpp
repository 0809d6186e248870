// Half-precision arithmetic, conversions, packing.
#pragma once

#include "vgpu/ops_approximate.hpp"

namespace equinorm::vgpu {
namespace {

struct WidenBf16 {
  EQUINORM_INLINE static u32 apply(u16 a) { return (a & 0x7fffu) > 0x7f80u ? kNan32 : static_cast<u32>(a) << 16; }
};
struct WidenFp16 {
  EQUINORM_INLINE static u32 apply(u16 a) {
    // 2^112 moves the exponent's bias from 15 to 127 and normalises subnormals, exactly.
    const u32 magnitude = static_cast<u32>(a & 0x7fff) << 13, sign = static_cast<u32>(a & 0x8000) << 16;
    const u32 finite = cast_bits<u32>(cast_bits<float>(magnitude) * 0x1p112f);
    return (a & 0x7fffu) > 0x7c00u ? kNan32 : sign | ((a & 0x7c00u) == 0x7c00u ? 0x7f800000u : finite);
  }
};
struct NarrowBf16 {
  EQUINORM_INLINE static u16 apply(u32 a) {
    return static_cast<u16>((a & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (a + 0x7fffu + (a >> 16 & 1)) >> 16);
  }
};
/// The first operand becomes the upper half.
struct NarrowPairBf16 {
  EQUINORM_INLINE static u32 apply(u32 a, u32 b) { return static_cast<u32>(NarrowBf16::apply(a)) << 16 | NarrowBf16::apply(b); }
};

template <class T>
EQUINORM_INLINE u64 read_wide(const Warp& w, u32 slot, int lane) {
  return w.lanes<T>(slot)[lane];
}
/// A lane of a slot of 2, 4 or 8 bytes.
EQUINORM_INLINE u64 read_bits(const Warp& w, u32 slot, int lane, int bytes) {
  return bytes == 2 ? read_wide<u16>(w, slot, lane) : bytes == 4 ? read_wide<u32>(w, slot, lane) : read_wide<u64>(w, slot, lane);
}
EQUINORM_INLINE void write_bits(const Warp& w, u32 slot, int lane, int bytes, u64 bits) {
  if (bytes == 2)
    w.lanes<u16>(slot)[lane] = static_cast<u16>(bits);
  else if (bytes == 4)
    w.lanes<u32>(slot)[lane] = static_cast<u32>(bits);
  else
    w.lanes<u64>(slot)[lane] = bits;
}

void convert_any(Warp& w, const Decoded& d, u32 mask) {
  for (int i = 0; i < kLanes; ++i)
    if ((mask >> i & 1) != 0)
      write_bits(w, d.slot[0], i, d.register_bytes,
                 convert(read_bits(w, d.slot[1], i, d.source_bytes), d.second_type, d.type, d.rounding, d.ftz, d.sat, d.relu, d.to_integer,
                         d.has_rounding));
}
void convert_pair(Warp& w, const Decoded& d, u32 mask) {
  const Type to = d.type == Type::f16x2 ? Type::f16 : Type::bf16;
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const auto half = [&](u32 slot) {
      return convert(read_wide<u32>(w, slot, i), Type::f32, to, d.rounding, d.ftz, d.sat, d.relu, false, true);
    };
    w.lanes<u32>(d.slot[0])[i] = static_cast<u32>(half(d.slot[1]) << 16 | half(d.slot[2]));
  }
}

template <class Op>
struct HalfOf;
template <>
struct HalfOf<Add> {
  static constexpr HalfOp kOp = HalfOp::add;
};
template <>
struct HalfOf<Sub> {
  static constexpr HalfOp kOp = HalfOp::sub;
};
template <>
struct HalfOf<Mul> {
  static constexpr HalfOp kOp = HalfOp::mul;
};
template <>
struct HalfOf<MulAdd> {
  static constexpr HalfOp kOp = HalfOp::fma;
};
template <>
struct HalfOf<Least> {
  static constexpr HalfOp kOp = HalfOp::min;
};
template <>
struct HalfOf<Greatest> {
  static constexpr HalfOp kOp = HalfOp::max;
};
template <>
struct HalfOf<FloatMagnitude> {
  static constexpr HalfOp kOp = HalfOp::abs;
};
template <>
struct HalfOf<FloatNegative> {
  static constexpr HalfOp kOp = HalfOp::neg;
};
template <>
struct HalfOf<PowerOfTwo> {
  static constexpr HalfOp kOp = HalfOp::ex2;
};
template <>
struct HalfOf<HyperbolicTangent> {
  static constexpr HalfOp kOp = HalfOp::tanh;
};

EQUINORM_INLINE void half_lanes(Warp& w, const Decoded& d, u32 mask, HalfOp op, int operands) {
  const bool is_pair = d.type == Type::f16x2 || d.type == Type::bf16x2;
  const bool is_bf16 = d.type == Type::bf16 || d.type == Type::bf16x2;
  const int bytes = is_pair ? 4 : 2;
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    u64 x[3] = {};
    for (int k = 0; k < operands; ++k) x[k] = read_bits(w, d.slot[k + 1], i, bytes);
    const auto one = [&](int shift) {
      return static_cast<u64>(half_operation(op, is_bf16, static_cast<u16>(x[0] >> shift), static_cast<u16>(x[1] >> shift),
                                             static_cast<u16>(x[2] >> shift), d))
             << shift;
    };
    write_bits(w, d.slot[0], i, bytes, is_pair ? one(0) | one(16) : one(0));
  }
}
template <class Op>
void half1(Warp& w, const Decoded& d, u32 mask) {
  half_lanes(w, d, mask, HalfOf<Op>::kOp, 1);
}
template <class Op>
void half2(Warp& w, const Decoded& d, u32 mask) {
  half_lanes(w, d, mask, HalfOf<Op>::kOp, 2);
}
void half_fma(Warp& w, const Decoded& d, u32 mask) { half_lanes(w, d, mask, HalfOp::fma, 3); }

void compare_halves(Warp& w, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  float a[kLanes], b[kLanes];
  const u16 *x = w.lanes<u16>(d.slot[at]), *y = w.lanes<u16>(d.slot[at + 1]);
  const bool is_bf16 = d.type == Type::bf16;
  const auto widen = [&](u16 bits) {
    if (d.ftz && (bits & (is_bf16 ? 0x7f80 : 0x7c00)) == 0) bits &= 0x8000;
    return cast_bits<float>(is_bf16 ? WidenBf16::apply(bits) : WidenFp16::apply(bits));
  };
  for (int i = 0; i < kLanes; ++i) a[i] = widen(x[i]), b[i] = widen(y[i]);
  write_comparison(w, d, compare_float_lanes(d.mode, a, b), mask);
}

/// mov.b32 r, {x, y}: the first part is the lowest. Parts have register_bytes / count bytes.
void pack_parts(Warp& w, const Decoded& d, u32 mask) {
  const int parts = d.count, bytes = d.register_bytes / parts;
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    u64 bits = 0;
    for (int k = 0; k < parts; ++k) bits |= read_bits(w, d.slot[k + 1], i, bytes) << (8 * bytes * k);
    write_bits(w, d.slot[0], i, d.register_bytes, bits);
  }
}
void unpack_parts(Warp& w, const Decoded& d, u32 mask) {
  const int parts = d.count, bytes = d.register_bytes / parts;
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const u64 bits = read_bits(w, d.slot[parts], i, d.register_bytes);
    for (int k = 0; k < parts; ++k) write_bits(w, d.slot[k], i, bytes, bits >> (8 * bytes * k));
  }
}

template <u64 kWindow>
void to_generic(Warp& w, const Decoded& d, u32 mask) {
  const u64* a = w.lanes<u64>(d.slot[1]);
  write_lanes(
      w.lanes<u64>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return a[i] + kWindow; });
}
template <u64 kWindow>
void from_generic(Warp& w, const Decoded& d, u32 mask) {
  const u64* a = w.lanes<u64>(d.slot[1]);
  write_lanes(
      w.lanes<u64>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return a[i] - kWindow; });
}

void no_operation(Warp&, const Decoded&, u32) {}

}  // namespace
}  // namespace equinorm::vgpu
