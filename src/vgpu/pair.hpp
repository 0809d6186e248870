// Double-double arithmetic: high + low, |low| <= 2^-53 |high|; an infinite or NaN high has low = 0.
//
// Compiled for several instruction sets, in loops over 32 lanes and for single numbers: everything is forced inline and without branches.
// Relative errors are below 2^-100 (Joldes, Muller, Popescu, TOMS 44, 2017), of power_of_two below 2^-98. This is no enclosure:
// cancellation may lose more, and nothing here bounds it.
#pragma once

#include <cstdint>

namespace equinorm::vgpu {

#define EQUINORM_PAIR [[gnu::always_inline]] inline

struct Pair {
  double high = 0, low = 0;
};

/// Tables of power_of_two.
struct ExponentialTables {
  static constexpr int kSteps = 32;
  static constexpr int kTerms = 13;                              // (ln 2 / 64)^14 / 14! < 2^-127
  double power_high[2 * kSteps + 1], power_low[2 * kSteps + 1];  ///< 2^((j - 32)/32)
  Pair coefficient[kTerms + 1];                                  ///< (ln 2)^k / k!
};
/// Filled by MPFR on first use.
const ExponentialTables& exponential_tables();

EQUINORM_PAIR bool is_finite(double x) { return x - x == 0.0; }
EQUINORM_PAIR Pair choose(bool first, Pair a, Pair b) { return {first ? a.high : b.high, first ? a.low : b.low}; }
EQUINORM_PAIR Pair negate(Pair a) { return {-a.high, -a.low}; }
EQUINORM_PAIR bool less(Pair a, Pair b) { return a.high < b.high || (a.high == b.high && a.low < b.low); }

EQUINORM_PAIR Pair settle(double high, double low) {
  const double sum = high + low;
  return {sum, is_finite(sum) ? low - (sum - high) : 0.0};
}

EQUINORM_PAIR Pair add(Pair a, Pair b) {
  const double s = a.high + b.high;
  const double part = s - a.high;
  const double e = (a.high - (s - part)) + (b.high - part);
  const double t = a.low + b.low, part_low = t - a.low;
  const double f = (a.low - (t - part_low)) + (b.low - part_low);
  const Pair first = settle(s, e + t);
  return choose(is_finite(s), settle(first.high, first.low + f), {s, 0.0});
}

EQUINORM_PAIR Pair multiply(Pair a, Pair b) {
  const double p = a.high * b.high;
  const double e = __builtin_fma(a.high, b.high, -p);
  return choose(is_finite(p), settle(p, e + __builtin_fma(a.high, b.low, a.low * b.high)), {p, 0.0});
}

EQUINORM_PAIR Pair divide(Pair a, Pair b) {
  const double q1 = a.high / b.high;
  const bool is_plain = is_finite(q1) && is_finite(b.high) && q1 != 0.0;
  Pair rest = add(a, negate(multiply(b, {q1, 0.0})));
  const double q2 = rest.high / b.high;
  rest = add(rest, negate(multiply(b, {q2, 0.0})));
  return choose(is_plain, add(settle(q1, q2), {rest.high / b.high, 0.0}), {q1, 0.0});
}

/// Two Newton steps from 53 bits: 2^-104.
EQUINORM_PAIR Pair square_root(Pair a) {
  const double root = __builtin_sqrt(a.high);
  Pair x{root, 0.0};
  Pair rest = add(a, negate(multiply(x, x)));
  x = add(x, {rest.high / (2.0 * root), 0.0});
  rest = add(a, negate(multiply(x, x)));
  x = add(x, {rest.high / (2.0 * root), 0.0});
  return choose(is_finite(root) && root != 0.0, x, {root, 0.0});
}

/// sum_k coefficient[k] g^k from kNext down. |g| <= 1/64: terms from kPlain on are below 2^-57, so that doubles do.
inline constexpr int kPlain = 7;
template <int kNext>
EQUINORM_PAIR double plain_series(const ExponentialTables& tables, double sum, double g) {
  if constexpr (kNext < kPlain)
    return sum;
  else
    return plain_series<kNext - 1>(tables, __builtin_fma(sum, g, tables.coefficient[kNext].high), g);
}
template <int kNext>
EQUINORM_PAIR Pair exponential_series(const ExponentialTables& tables, Pair sum, Pair g) {
  if constexpr (kNext < 0)
    return sum;
  else
    return exponential_series<kNext - 1>(tables, add(multiply(sum, g), tables.coefficient[kNext]), g);
}

/// 2^n, -1100 <= n <= 1100, as two factors.
EQUINORM_PAIR double scaled(double x, double n) {
  const double half = (n * 0.5 + 0x1.8p52) - 0x1.8p52;
  const auto power = [](double m) __attribute__((always_inline)) {
    return __builtin_bit_cast(double, static_cast<std::uint64_t>(__builtin_bit_cast(std::int64_t, m + 0x1.8p52) + 1023) << 52);
  };
  return x * power(half) * power(n - half);
}

/// 2^a.
EQUINORM_PAIR Pair power_of_two(Pair a, const ExponentialTables& tables) {
  constexpr double kMost = 1100.0;
  const double inside = a.high > kMost ? kMost : a.high < -kMost ? -kMost : a.high == a.high ? a.high : 0.0;
  const bool is_inside = inside == a.high;
  const double n = (inside + 0x1.8p52) - 0x1.8p52;
  const Pair f = add({inside, is_inside ? a.low : 0.0}, {-n, 0.0});
  const double shifted = f.high * ExponentialTables::kSteps + 0x1.8p52;
  const double j = shifted - 0x1.8p52;
  const Pair g = add(f, {-j / ExponentialTables::kSteps, 0.0});
  const double rest = plain_series<ExponentialTables::kTerms - 1>(tables, tables.coefficient[ExponentialTables::kTerms].high, g.high);
  const Pair sum = exponential_series<kPlain - 1>(tables, {rest, 0.0}, g);
  const std::int64_t at = static_cast<std::int64_t>(__builtin_bit_cast(std::uint64_t, shifted) & 0xff);  // j mod 256
  const std::int64_t index = ((at ^ 0x80) - 0x80) + ExponentialTables::kSteps;
  const Pair y = multiply(sum, {tables.power_high[index], tables.power_low[index]});
  const Pair result{scaled(y.high, n), scaled(y.low, n)};
  const double outside = a.high != a.high ? a.high : a.high > 0.0 ? __builtin_inf() : 0.0;
  return choose(is_inside, choose(is_finite(result.high), result, {result.high, 0.0}), {outside, 0.0});
}

}  // namespace equinorm::vgpu
