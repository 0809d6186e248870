// Functions of which PTX promises only a bound. The default result is the correctly rounded one.
#pragma once

#include "vgpu/ops_float.hpp"

namespace equinorm::vgpu {
namespace {

/// y is within `error` of the exact value, relatively: the binary32 to which both ends round is the correctly rounded one.
EQUINORM_INLINE bool is_decided(double y, double error) {
  return static_cast<float>(y * (1.0 - error)) == static_cast<float>(y * (1.0 + error));
}

/// a b + c within two roundings: fused where the processor can, for no result depends on it.
EQUINORM_INLINE double about_fma(double a, double b, double c) {
#ifdef __FMA__
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// Op::quick is within Op::kError of the function on Op::inside of any operand; where that leaves the binary32 result open, MPFR decides.
template <class Op>
EQUINORM_INLINE float round_one(float a) {
  if constexpr (requires { Op::quick(0.0); }) {
    const float x = Op::inside(a);
    const double y = Op::quick(static_cast<double>(x));
    if (a == a && is_decided(y, Op::kError)) return static_cast<float>(y);
    return a == a ? correctly_rounded(Op::kFunction, x) : cast_bits<float>(kNan32);
  } else {
    return Op::apply(a);
  }
}
template <class Op>
EQUINORM_INLINE void round_lanes(u32 mask, const float* a, float* r) {
  if constexpr (requires { Op::quick(0.0); }) {
    // Loops of their own: otherwise the compiler gives constants of Op::inside a path of their own, and does not vectorise.
    float x[kLanes];
    double y[kLanes];
    u32 open[kLanes];
    EQUINORM_LANES x[i] = Op::inside(a[i]);
    EQUINORM_LANES y[i] = Op::quick(static_cast<double>(x[i]));
    EQUINORM_LANES r[i] = a[i] == a[i] ? static_cast<float>(y[i]) : cast_bits<float>(kNan32);
    EQUINORM_LANES open[i] = a[i] != a[i] || is_decided(y[i], Op::kError) ? 0 : 1;
    u32 any = 0;
    EQUINORM_LANES any |= open[i];
    for (int i = 0; any != 0 && i < kLanes; ++i)
      if (open[i] != 0 && (mask >> i & 1) != 0) r[i] = correctly_rounded(Op::kFunction, x[i]);
  } else if constexpr (requires { Op::kFunction; }) {
    for (int i = 0; i < kLanes; ++i)
      if ((mask >> i & 1) != 0) r[i] = Op::apply(a[i]);
  } else {
    EQUINORM_LANES r[i] = Op::apply(a[i]);
  }
}

struct PowerOfTwo {
  static constexpr Transcendental kFunction = Transcendental::ex2;
  static constexpr double kTerm[] = {1.0,
                                     0x1.62e42fefa39efp-1,
                                     0x1.ebfbdff82c58fp-3,
                                     0x1.c6b08d704a0c0p-5,
                                     0x1.3b2ab6fba4e77p-7,
                                     0x1.5d87fe78a6731p-10,
                                     0x1.430912f86c787p-13,
                                     0x1.ffcbfc588b0c7p-17,
                                     0x1.62c0223a5c824p-20,
                                     0x1.b5253d395e7c4p-24};
  /// A recursion and not a loop: the loop over the lanes is vectorised only if it holds no other.
  template <int kNext>
  EQUINORM_INLINE static double horner(double sum, double f) {
    if constexpr (kNext < 0)
      return sum;
    else
      return horner<kNext - 1>(about_fma(sum, f, kTerm[kNext]), f);
  }
  /// 2^x = 2^n sum_k (f ln 2)^k / k!, n = rint x, |f| <= 1/2, |x| <= 200: 11 terms leave less than (ln 2 / 2)^11 / 11! (1 + ...) < 2^-42,
  /// 21 roundings less than 2^-48.
  static constexpr double kError = 0x1p-41;
  EQUINORM_INLINE static double quick(double x) {
    const double shifted = x + 0x1.8p52;
    const double f = x - (shifted - 0x1.8p52);
    return horner<9>(0x1.e4cf5158b8ecap-28, f) * cast_bits<double>(static_cast<u64>(cast_bits<s64>(shifted) + 1023) << 52);
  }
  EQUINORM_INLINE static float inside(float a) { return a < -200.0f ? -200.0f : a > 200.0f ? 200.0f : a; }
};
struct ReciprocalRoot {
  static constexpr Transcendental kFunction = Transcendental::rsqrt;
  static constexpr double kError = 0x1p-48;
  EQUINORM_INLINE static double quick(double x) { return 1.0 / __builtin_sqrt(x); }
  EQUINORM_INLINE static float inside(float a) { return a; }
};
template <Transcendental kOf>
struct Slow {
  static constexpr Transcendental kFunction = kOf;
  EQUINORM_INLINE static float apply(float a) { return correctly_rounded(kOf, a); }
};
using Logarithm = Slow<Transcendental::lg2>;
using Sine = Slow<Transcendental::sin>;
using Cosine = Slow<Transcendental::cos>;
using HyperbolicTangent = Slow<Transcendental::tanh>;

/// A neighbour of r at most `ulps` away, chosen by a hash; zeros, infinities and NaN stay, and no sign or exponent class is left.
EQUINORM_INLINE float perturb(float r, u64 seed, u32 ulps) {
  u64 hash = (cast_bits<u32>(r) + seed) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ hash >> 31) * 0xbf58476d1ce4e5b9u;
  const u32 bits = cast_bits<u32>(r), magnitude = bits & 0x7fffffffu;
  if (magnitude <= ulps || magnitude + ulps >= 0x7f800000u) return r;
  return cast_bits<float>(bits + static_cast<u32>((hash >> 33) % (2 * ulps + 1)) - ulps);
}

EQUINORM_INLINE void finish_approximate(Warp& w, const Decoded& d, u32 mask, float* r, u32 ulps) {
  u64 seed = 0;
  if (is_perturbed(w, seed)) EQUINORM_LANES r[i] = perturb(r[i], seed + d.line, ulps);
  float* to = w.lanes<float>(d.slot[0]);
  write_lanes(
      to, mask, [&](int i) __attribute__((always_inline)) { return finish(r[i], d.ftz, false); });
}

template <class Op>
void approximate1(Warp& w, const Decoded& d, u32 mask) {
  const float* a = w.lanes<float>(d.slot[1]);
  float flushed[kLanes], r[kLanes];
  EQUINORM_LANES r[i] = 0.0f;
  if (d.ftz) {
    EQUINORM_LANES flushed[i] = flush(a[i]);
    a = flushed;
  }
  // Often all lanes ask for one value: the exponential of a score that belongs to the whole warp.
  u32 bits[kLanes];
  EQUINORM_LANES bits[i] = cast_bits<u32>(a[i]);
  if (mask == kAllLanes && is_row<0>(bits)) {
    const float one = round_one<Op>(a[0]);
    EQUINORM_LANES r[i] = one;
  } else {
    round_lanes<Op>(mask, a, r);
  }
  finish_approximate(w, d, mask, r,
                     __is_same(Op, Reciprocal) || __is_same(Op, SquareRoot) ? 1
                     : __is_same(Op, HyperbolicTangent)                     ? 4096
                                                                            : 2);
}

/// div.approx computes a (1/b) on hardware, so for 2^126 < |b| < 2^128 it gives 0 (NaN for an infinite a); div.full has the full range.
template <class Op>
void approximate2(Warp& w, const Decoded& d, u32 mask) {
  const float *a = w.lanes<float>(d.slot[1]), *b = w.lanes<float>(d.slot[2]);
  const bool full = d.mode == 1;
  float r[kLanes];
  EQUINORM_LANES {
    const float x = d.ftz ? flush(a[i]) : a[i], y = d.ftz ? flush(b[i]) : b[i];
    const float size = FloatMagnitude::apply(y);
    const bool is_large = !full && size > 0x1p126f && size < __builtin_inff();
    r[i] = is_large ? x * cast_bits<float>(cast_bits<u32>(y) & 0x80000000u) : Op::apply(x, y);
  }
  finish_approximate(w, d, mask, r, 2);
}

}  // namespace
}  // namespace equinorm::vgpu
