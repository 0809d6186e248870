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
      EQUINORM_PAIR_LOOP(power_of_two(x, tables));
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

void start_lanes(const float* values, u32 known, const Pairs& shadow, Pairs& to) {
  EQUINORM_LANES {
    const bool is_known = (known >> i & 1) != 0;
    to.high[i] = is_known ? shadow.high[i] : static_cast<double>(values[i]);
    to.low[i] = is_known ? shadow.low[i] : 0.0;
  }
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

template <class Error>
EQUINORM_INLINE u32 note_with(const float* a, const float* b, const float* c, const float* r, u32 mask, LineStatistics& line, Error error) {
  double found[kLanes];
  u64 finite[kLanes];
  EQUINORM_LANES found[i] =
      error(static_cast<double>(a[i]), static_cast<double>(b[i]), static_cast<double>(c[i]), static_cast<double>(r[i]));
  EQUINORM_LANES finite[i] = is_finite(found[i]) && is_finite(static_cast<double>(r[i])) ? 1 : 0;
  u32 counted = 0;
  EQUINORM_LANES counted |= static_cast<u32>(finite[i]) << i;
  counted &= mask;
  EQUINORM_LANES {
    const double size = (counted >> i & 1) != 0 ? __builtin_fabs(found[i]) : 0.0, ulps = size * per_ulp(r[i]);
    line.sum[i] += size;
    line.largest_ulp[i] = ulps > line.largest_ulp[i] ? ulps : line.largest_ulp[i];
  }
  return counted;
}

/// r - (x + y), exactly but for the last rounding.
EQUINORM_INLINE double minus_sum(double r, double x, double y) {
  const double s = x + y, part = s - x;
  const double e = (x - (s - part)) + (y - part);
  return (r - s) - e;
}

u32 note_lanes(ShadowOp op, const float* a, const float* b, const float* c, const float* r, u32 mask, LineStatistics& line) {
  const auto note = [&](auto error) __attribute__((always_inline)) { return note_with(a, b, c, r, mask, line, error); };
  switch (op) {
    case ShadowOp::add:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return minus_sum(q, x, y); });
    case ShadowOp::sub:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return minus_sum(q, x, -y); });
    case ShadowOp::mul:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return q - x * y; });
    case ShadowOp::fma:
      return note([](double x, double y, double z, double q) __attribute__((always_inline)) { return minus_sum(q, x * y, z); });
    case ShadowOp::div:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return (q * y - x) / y; });
    case ShadowOp::rcp:
      return note([](double x, double, double, double q) __attribute__((always_inline)) { return (q * x - 1.0) / x; });
    case ShadowOp::sqrt:
      return note([](double x, double, double, double q)
                      __attribute__((always_inline)) { return q == 0.0 ? 0.0 : (q * q - x) / (2.0 * q); });
    case ShadowOp::rsqrt:
      return note([](double x, double, double, double q)
                      __attribute__((always_inline)) { return 0.5 * q * __builtin_fma(q * q, x, -1.0); });
    case ShadowOp::ex2: {
      const ExponentialTables& tables = exponential_tables();
      return note([&](double x, double, double, double q) __attribute__((always_inline)) {
        const Pair y = power_of_two({x, 0.0}, tables);
        return (q - y.high) - y.low;
      });
    }
    // Exact but for subnormal numbers under .ftz.
    case ShadowOp::min:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return q - (x != x || y < x ? y : x); });
    case ShadowOp::max:
      return note([](double x, double y, double, double q) __attribute__((always_inline)) { return q - (x != x || y > x ? y : x); });
    case ShadowOp::abs:
      return note([](double x, double, double, double q) __attribute__((always_inline)) { return q - __builtin_fabs(x); });
    default:
      return note([](double x, double, double, double q) __attribute__((always_inline)) { return q + x; });
  }
}

constexpr ShadowKernels kShadowKernels{apply_lanes, start_lanes, merge_lanes, note_lanes};

}  // namespace
}  // namespace equinorm::vgpu
