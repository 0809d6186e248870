// binary32 and binary64. A NaN result is canonical: 0x7fffffff, as the PTX ISA says for .f32; 0x7ff8000000000000 for .f64, where it says
// nothing.
#pragma once

#include "vgpu/ops_bits.hpp"

namespace equinorm::vgpu {
namespace {

inline constexpr u32 kNan32 = 0x7fffffffu;
inline constexpr u64 kNan64 = 0x7ff8000000000000u;

EQUINORM_INLINE float canonical(float x) { return x == x ? x : cast_bits<float>(kNan32); }
EQUINORM_INLINE double canonical(double x) { return x == x ? x : cast_bits<double>(kNan64); }
/// A subnormal becomes the zero of its sign.
EQUINORM_INLINE float flush(float x) {
  const u32 bits = cast_bits<u32>(x);
  return (bits & 0x7f800000u) == 0 ? cast_bits<float>(bits & 0x80000000u) : x;
}
/// [0, 1], NaN to 0.
EQUINORM_INLINE float saturate(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
EQUINORM_INLINE float finish(float x, bool ftz, bool sat) {
  x = canonical(x);
  if (ftz) x = flush(x);
  return sat ? saturate(x) : x;
}

struct Divide {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    return a / b;
  }
};
struct Reciprocal {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return T(1) / a;
  }
};
struct SquareRoot {
  EQUINORM_INLINE static float apply(float a) { return __builtin_sqrtf(a); }
  EQUINORM_INLINE static double apply(double a) { return __builtin_sqrt(a); }
};
/// The number if one is a NaN; -0 < +0.
struct Least {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    const T both = a < b ? a : a == b ? cast_bits<T>(cast_bits<Unsigned<T>>(a) | cast_bits<Unsigned<T>>(b)) : b;
    return a != a ? b : b != b ? a : both;
  }
};
struct Greatest {
  template <class T>
  EQUINORM_INLINE static T apply(T a, T b) {
    const T both = a > b ? a : a == b ? cast_bits<T>(cast_bits<Unsigned<T>>(a) & cast_bits<Unsigned<T>>(b)) : b;
    return a != a ? b : b != b ? a : both;
  }
};
struct FloatMagnitude {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return cast_bits<T>(static_cast<Unsigned<T>>(cast_bits<Unsigned<T>>(a) & (~Unsigned<T>(0) >> 1)));
  }
};
struct FloatNegative {
  template <class T>
  EQUINORM_INLINE static T apply(T a) {
    return -a;
  }
};

/// result[i] = finish(operand(i, ftz)). Flags are copied first: the compiler could not know that writing registers leaves the instruction
/// alone, and would not vectorise.
template <class A>
EQUINORM_INLINE void float_lanes(Warp& w, const Decoded& d, u32 mask, A operand) {
  float* r = w.lanes<float>(d.slot[0]);
  const bool ftz = d.ftz, sat = d.sat;
  if (!ftz && !sat)
    write_lanes(
        r, mask, [&](int i) __attribute__((always_inline)) { return canonical(operand(i, false)); });
  else
    write_lanes(
        r, mask, [&](int i) __attribute__((always_inline)) { return finish(operand(i, ftz), ftz, sat); });
}

template <class Op>
void float1(Warp& w, const Decoded& d, u32 mask) {
  const float* a = w.lanes<float>(d.slot[1]);
  float_lanes(
      w, d, mask, [&](int i, bool ftz) __attribute__((always_inline)) { return Op::apply(ftz ? flush(a[i]) : a[i]); });
}
template <class Op>
void float2(Warp& w, const Decoded& d, u32 mask) {
  const float *a = w.lanes<float>(d.slot[1]), *b = w.lanes<float>(d.slot[2]);
  float_lanes(
      w, d,
      mask, [&](int i, bool ftz) __attribute__((always_inline)) { return Op::apply(ftz ? flush(a[i]) : a[i], ftz ? flush(b[i]) : b[i]); });
}
/// min.NaN and max.NaN: a NaN if one operand is.
template <class Op>
void float2_nan(Warp& w, const Decoded& d, u32 mask) {
  const float *a = w.lanes<float>(d.slot[1]), *b = w.lanes<float>(d.slot[2]);
  float_lanes(
      w, d, mask, [&](int i, bool ftz) __attribute__((always_inline)) {
        const float x = ftz ? flush(a[i]) : a[i], y = ftz ? flush(b[i]) : b[i], result = Op::apply(x, y);
        return x != x || y != y ? cast_bits<float>(kNan32) : result;
      });
}
void float_fma(Warp& w, const Decoded& d, u32 mask) {
  const float *a = w.lanes<float>(d.slot[1]), *b = w.lanes<float>(d.slot[2]), *c = w.lanes<float>(d.slot[3]);
  const u32 product = d.mode == static_cast<u8>(FmaSigns::minus_product) ? 0x80000000u : 0;
  const u32 addend = d.mode == static_cast<u8>(FmaSigns::minus_addend) ? 0x80000000u : 0;
  float_lanes(
      w, d, mask, [&](int i, bool ftz) __attribute__((always_inline)) {
        const float x = cast_bits<float>(cast_bits<u32>(a[i]) ^ product), z = cast_bits<float>(cast_bits<u32>(c[i]) ^ addend);
        return ftz ? __builtin_fmaf(flush(x), flush(b[i]), flush(z)) : __builtin_fmaf(x, b[i], z);
      });
}

template <class Op>
void double1(Warp& w, const Decoded& d, u32 mask) {
  const double* a = w.lanes<double>(d.slot[1]);
  write_lanes(
      w.lanes<double>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return canonical(Op::apply(a[i])); });
}
template <class Op>
void double2(Warp& w, const Decoded& d, u32 mask) {
  const double *a = w.lanes<double>(d.slot[1]), *b = w.lanes<double>(d.slot[2]);
  write_lanes(
      w.lanes<double>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return canonical(Op::apply(a[i], b[i])); });
}
void double_fma(Warp& w, const Decoded& d, u32 mask) {
  const double *a = w.lanes<double>(d.slot[1]), *b = w.lanes<double>(d.slot[2]), *c = w.lanes<double>(d.slot[3]);
  write_lanes(
      w.lanes<double>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return canonical(__builtin_fma(a[i], b[i], c[i])); });
}

template <class Op>
struct DirectedOf;
template <>
struct DirectedOf<Add> {
  static constexpr DirectedOp kOp = DirectedOp::add;
};
template <>
struct DirectedOf<Sub> {
  static constexpr DirectedOp kOp = DirectedOp::sub;
};
template <>
struct DirectedOf<Mul> {
  static constexpr DirectedOp kOp = DirectedOp::mul;
};
template <>
struct DirectedOf<Divide> {
  static constexpr DirectedOp kOp = DirectedOp::div;
};
template <>
struct DirectedOf<MulAdd> {
  static constexpr DirectedOp kOp = DirectedOp::fma;
};

template <class T, class Op>
void directed2(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]);
  T r[kLanes];
  for (int i = 0; i < kLanes; ++i)
    r[i] = finish(directed(DirectedOf<Op>::kOp, d.rounding, d.ftz ? flush(a[i]) : a[i], d.ftz ? flush(b[i]) : b[i], 0.0f), d.ftz, d.sat);
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return r[i]; });
}
template <class T, class Op>
void directed3(Warp& w, const Decoded& d, u32 mask) {
  const T *a = w.lanes<T>(d.slot[1]), *b = w.lanes<T>(d.slot[2]), *c = w.lanes<T>(d.slot[3]);
  T r[kLanes];
  for (int i = 0; i < kLanes; ++i)
    r[i] = finish(
        directed(DirectedOf<Op>::kOp, d.rounding, d.ftz ? flush(a[i]) : a[i], d.ftz ? flush(b[i]) : b[i], d.ftz ? flush(c[i]) : c[i]),
        d.ftz, d.sat);
  write_lanes(
      w.lanes<T>(d.slot[0]), mask, [&](int i) __attribute__((always_inline)) { return r[i]; });
}

/// .eq .ne .lt .le .gt .ge are false (ne too) if an operand is a NaN, the forms with u true; .num and .nan ask for that alone.
template <class T>
EQUINORM_INLINE u32 compare_float_lanes(int mode, const T* a, const T* b) {
  u32 result = 0;
  const auto collect = [&](auto test) __attribute__((always_inline)) { result = lane_mask(a, b, test); };
  switch (mode) {
    case 0:
      collect([](T x, T y) { return x == y; });
      break;
    case 1:
      collect([](T x, T y) { return x < y || x > y; });
      break;
    case 2:
      collect([](T x, T y) { return x < y; });
      break;
    case 3:
      collect([](T x, T y) { return x <= y; });
      break;
    case 4:
      collect([](T x, T y) { return x > y; });
      break;
    case 5:
      collect([](T x, T y) { return x >= y; });
      break;
    case 6:
      collect([](T x, T y) { return !(x < y || x > y); });
      break;
    case 7:
      collect([](T x, T y) { return !(x == y); });
      break;
    case 8:
      collect([](T x, T y) { return !(x >= y); });
      break;
    case 9:
      collect([](T x, T y) { return !(x > y); });
      break;
    case 10:
      collect([](T x, T y) { return !(x <= y); });
      break;
    case 11:
      collect([](T x, T y) { return !(x < y); });
      break;
    case 12:
      collect([](T x, T y) { return x == x && y == y; });
      break;
    default:
      collect([](T x, T y) { return x != x || y != y; });
  }
  return result;
}
template <class T>
void compare_floats(Warp& w, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1;
  const T *a = w.lanes<T>(d.slot[at]), *b = w.lanes<T>(d.slot[at + 1]);
  T x[kLanes], y[kLanes];
  if constexpr (sizeof(T) == 4) {
    if (d.ftz) {
      EQUINORM_LANES x[i] = flush(a[i]);
      EQUINORM_LANES y[i] = flush(b[i]);
      a = x, b = y;
    }
  }
  write_comparison(w, d, compare_float_lanes(d.mode, a, b), mask);
}

}  // namespace
}  // namespace equinorm::vgpu
