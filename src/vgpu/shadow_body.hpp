// The kernels of shadow_lanes.hpp; included by one file for each instruction set.
#pragma once

#include "vgpu/ops_common.hpp"
#include "vgpu/shadow_lanes.hpp"

namespace equinorm::vgpu {
namespace {

template <class F>
EQUINORM_INLINE void each_lane(Pairs& r, F f) {
  EQUINORM_LANES {
    const Pair result = f(i);
    r.high[i] = result.high;
    r.low[i] = result.low;
  }
}

/// A NaN gives the other operand.
EQUINORM_INLINE Pair least(Pair a, Pair b) { return choose(a.high != a.high || (b.high == b.high && less(b, a)), b, a); }
EQUINORM_INLINE Pair greatest(Pair a, Pair b) { return choose(a.high != a.high || (b.high == b.high && less(a, b)), b, a); }

/// All lanes hold the same: the exponential of a score that belongs to the whole warp.
EQUINORM_INLINE bool is_one_pair(const Pairs& a) {
  u64 high[kLanes], low[kLanes];
  EQUINORM_LANES high[i] = cast_bits<u64>(a.high[i]);
  EQUINORM_LANES low[i] = cast_bits<u64>(a.low[i]);
  return is_row<0>(high) && is_row<0>(low);
}

#define EQUINORM_PAIR_LOOP(expression)                                                                      \
  each_lane(                                                                                                \
      r, [&](int i) __attribute__((always_inline)) {                                                        \
        [[maybe_unused]] const Pair x{a.high[i], a.low[i]}, y{b.high[i], b.low[i]}, z{c.high[i], c.low[i]}; \
        return expression;                                                                                  \
      })

void apply_lanes(ShadowOp op, const Pairs& a, const Pairs& b, const Pairs& c, Pairs& r) {
  const ExponentialTables& tables = exponential_tables();
  switch (op) {
    case ShadowOp::add:
      EQUINORM_PAIR_LOOP(add(x, y));
      break;
    case ShadowOp::sub:
      EQUINORM_PAIR_LOOP(add(x, negate(y)));
      break;
    case ShadowOp::mul:
      EQUINORM_PAIR_LOOP(multiply(x, y));
      break;
    case ShadowOp::fma:
      EQUINORM_PAIR_LOOP(add(multiply(x, y), z));
      break;
    case ShadowOp::div:
      EQUINORM_PAIR_LOOP(divide(x, y));
      break;
    case ShadowOp::rcp:
      EQUINORM_PAIR_LOOP(divide(Pair{1.0, 0.0}, x));
      break;
    case ShadowOp::sqrt:
      EQUINORM_PAIR_LOOP(square_root(x));
      break;
    case ShadowOp::rsqrt:
      EQUINORM_PAIR_LOOP(divide(Pair{1.0, 0.0}, square_root(x)));
      break;
    case ShadowOp::ex2:
      if (is_one_pair(a)) {
        const Pair one = power_of_two(a[0], tables);
        each_lane(
            r, [&](int) __attribute__((always_inline)) { return one; });
      } else {
        EQUINORM_PAIR_LOOP(power_of_two(x, tables));
      }
      break;
    case ShadowOp::min:
      EQUINORM_PAIR_LOOP(least(x, y));
      break;
    case ShadowOp::max:
      EQUINORM_PAIR_LOOP(greatest(x, y));
      break;
    case ShadowOp::abs:
      EQUINORM_PAIR_LOOP(choose(x.high < 0.0, negate(x), x));
      break;
    default:
      EQUINORM_PAIR_LOOP(negate(x));
  }
}
#undef EQUINORM_PAIR_LOOP

#define EQUINORM_PLAIN_LOOP(expression)                                        \
  EQUINORM_LANES {                                                             \
    [[maybe_unused]] const double x = a.high[i], y = b.high[i], z = c.high[i]; \
    r.high[i] = expression;                                                    \
  }

void apply_plain_lanes(ShadowOp op, const Pairs& a, const Pairs& b, const Pairs& c, Pairs& r) {
  switch (op) {
    case ShadowOp::add:
      EQUINORM_PLAIN_LOOP(x + y);
      break;
    case ShadowOp::sub:
      EQUINORM_PLAIN_LOOP(x - y);
      break;
    case ShadowOp::mul:
      EQUINORM_PLAIN_LOOP(x * y);
      break;
    case ShadowOp::fma:
      EQUINORM_PLAIN_LOOP(__builtin_fma(x, y, z));
      break;
    case ShadowOp::div:
      EQUINORM_PLAIN_LOOP(x / y);
      break;
    case ShadowOp::rcp:
      EQUINORM_PLAIN_LOOP(1.0 / x);
      break;
    case ShadowOp::sqrt:
      EQUINORM_PLAIN_LOOP(__builtin_sqrt(x));
      break;
    case ShadowOp::rsqrt:
      EQUINORM_PLAIN_LOOP(1.0 / __builtin_sqrt(x));
      break;
    case ShadowOp::min:
      EQUINORM_PLAIN_LOOP(x != x || y < x ? y : x);
      break;
    case ShadowOp::max:
      EQUINORM_PLAIN_LOOP(x != x || y > x ? y : x);
      break;
    case ShadowOp::abs:
      EQUINORM_PLAIN_LOOP(__builtin_fabs(x));
      break;
    case ShadowOp::neg:
      EQUINORM_PLAIN_LOOP(-x);
      break;
    default:
      apply_lanes(op, a, b, c, r);
  }
  EQUINORM_LANES r.low[i] = 0.0;
}
#undef EQUINORM_PLAIN_LOOP

void start_lanes(const float* values, u32 known, const Pairs& shadow, Pairs& to) {
  if (known == 0) {
    EQUINORM_LANES to.high[i] = static_cast<double>(values[i]);
    EQUINORM_LANES to.low[i] = 0.0;
    return;
  }
  for (int i = 0; i < kLanes; ++i) to.set(i, (known >> i & 1) != 0 ? shadow[i] : Pair{static_cast<double>(values[i]), 0.0});
}
void merge_lanes(const Pairs& from, u32 mask, Pairs& to) {
  EQUINORM_LANES to.high[i] = (mask >> i & 1) != 0 ? from.high[i] : to.high[i];
  EQUINORM_LANES to.low[i] = (mask >> i & 1) != 0 ? from.low[i] : to.low[i];
}

/// 2^23 over the binary32 exponent of r: an error times this is in ulps of r.
EQUINORM_INLINE double per_ulp(float r) {
  const u32 exponent = cast_bits<u32>(r) >> 23 & 0xff;
  const u64 biased = exponent == 0 ? 1 : exponent;
  return cast_bits<double>((1023 + 23 + 127 - biased) << 52);
}

/// Adds |error(i)| of the lanes of the mask to the statistics, where it is finite: it is not if the result or the exact value is not.
template <class Error>
EQUINORM_INLINE u32 note_with(const float* r, u32 mask, LineStatistics& line, Error error) {
  double size[kLanes], ulps[kLanes];
  EQUINORM_LANES size[i] = __builtin_fabs(error(i));
  EQUINORM_LANES ulps[i] = size[i] * per_ulp(r[i]);
  u64 odd = 0;
  EQUINORM_LANES odd |= is_finite(size[i]) ? 0 : 1;
  u32 counted = mask;
  if (mask != kAllLanes || odd != 0) {
    for (int i = 0; i < kLanes; ++i) {
      if (!is_finite(size[i])) counted &= ~(u32{1} << i);
      if ((counted >> i & 1) == 0) size[i] = ulps[i] = 0.0;
    }
  }
  EQUINORM_LANES line.sum[i] += size[i];
  EQUINORM_LANES line.largest_ulp[i] = ulps[i] > line.largest_ulp[i] ? ulps[i] : line.largest_ulp[i];
  return counted;
}

/// r - (x + y), exactly but for the last rounding.
EQUINORM_INLINE double minus_sum(double r, double x, double y) {
  const double s = x + y, part = s - x;
  const double e = (x - (s - part)) + (y - part);
  return (r - s) - e;
}

/// 2^a to about 2^-50.
EQUINORM_INLINE void about_power_of_two(const float* a, double* to) {
  const ExponentialTables& tables = exponential_tables();
  u32 bits[kLanes];
  EQUINORM_LANES bits[i] = cast_bits<u32>(a[i]);
  if (is_row<0>(bits)) {
    const double one = power_of_two({static_cast<double>(a[0]), 0.0}, tables).high;
    EQUINORM_LANES to[i] = one;
  } else {
    EQUINORM_LANES to[i] = power_of_two({static_cast<double>(a[i]), 0.0}, tables).high;
  }
}

#define EQUINORM_NOTE(expression)                                                                                                  \
  note_with(                                                                                                                       \
      r, mask, line, [&](int i) __attribute__((always_inline)) {                                                                   \
        [[maybe_unused]] const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]), z = static_cast<double>(c[i]); \
        const double q = static_cast<double>(r[i]);                                                                                \
        return expression;                                                                                                         \
      })

u32 note_lanes(ShadowOp op, const float* a, const float* b, const float* c, const float* r, u32 mask, LineStatistics& line) {
  switch (op) {
    case ShadowOp::add:
      return EQUINORM_NOTE(minus_sum(q, x, y));
    case ShadowOp::sub:
      return EQUINORM_NOTE(minus_sum(q, x, -y));
    case ShadowOp::mul:
      return EQUINORM_NOTE(q - x * y);
    case ShadowOp::fma:
      return EQUINORM_NOTE(minus_sum(q, x * y, z));
    case ShadowOp::div:
      return EQUINORM_NOTE((q * y - x) / y);
    case ShadowOp::rcp:
      return EQUINORM_NOTE((q * x - 1.0) / x);
    case ShadowOp::sqrt:
      return EQUINORM_NOTE(q == 0.0 ? 0.0 : (q * q - x) / (2.0 * q));
    case ShadowOp::rsqrt:
      return EQUINORM_NOTE(0.5 * q * __builtin_fma(q * q, x, -1.0));
    case ShadowOp::ex2: {
      double power[kLanes];
      about_power_of_two(a, power);
      return EQUINORM_NOTE(q - power[i]);
    }
    // Exact but for subnormal numbers under .ftz.
    case ShadowOp::min:
      return EQUINORM_NOTE(q - (x != x || y < x ? y : x));
    case ShadowOp::max:
      return EQUINORM_NOTE(q - (x != x || y > x ? y : x));
    case ShadowOp::abs:
      return EQUINORM_NOTE(q - __builtin_fabs(x));
    default:
      return EQUINORM_NOTE(q + x);
  }
}
#undef EQUINORM_NOTE

constexpr ShadowKernels kShadowKernels{apply_lanes, apply_plain_lanes, start_lanes, merge_lanes, note_lanes};

}  // namespace
}  // namespace equinorm::vgpu
