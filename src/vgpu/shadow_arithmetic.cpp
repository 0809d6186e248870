// Double-double arithmetic: high + low, |low| <= 2^-53 |high|; an infinite or NaN high has low = 0.
#include <mpfr.h>

#include <array>
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

Pair settle(double high, double low) {
  const double sum = high + low;
  return std::isfinite(sum) ? Pair{sum, low - (sum - high)} : Pair{sum, 0.0};
}

constexpr int kBits = 160;

struct Real {
  Real() { mpfr_init2(value, kBits); }
  explicit Real(Pair x) : Real() {
    mpfr_set_d(value, x.high, MPFR_RNDN);
    if (std::isfinite(x.high)) mpfr_add_d(value, value, x.low, MPFR_RNDN);
  }
  ~Real() { mpfr_clear(value); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  Pair pair() const {
    const double high = mpfr_get_d(value, MPFR_RNDN);
    if (!std::isfinite(high)) return {high, 0.0};
    Real rest;
    mpfr_sub_d(rest.value, value, high, MPFR_RNDN);
    return {high, mpfr_get_d(rest.value, MPFR_RNDN)};
  }
  mpfr_t value;
};

constexpr int kSteps = 32;  // of the table of 2^(j/32)
constexpr int kTerms = 13;  // (ln 2 / 64)^14 / 14! < 2^-127

struct ExponentialTables {
  std::array<Pair, 2 * kSteps + 1> power;    // 2^((j - 32)/32)
  std::array<Pair, kTerms + 1> coefficient;  // (ln 2)^k / k!
};

const ExponentialTables& exponential_tables() {
  static const ExponentialTables tables = [] {
    ExponentialTables built;
    for (int j = 0; j <= 2 * kSteps; ++j) {
      Real x({static_cast<double>(j - kSteps) / kSteps, 0.0});
      mpfr_exp2(x.value, x.value, MPFR_RNDN);
      built.power[static_cast<std::size_t>(j)] = x.pair();
    }
    Real term({1.0, 0.0}), ln2;
    mpfr_const_log2(ln2.value, MPFR_RNDN);
    for (unsigned long k = 0; k <= kTerms; ++k) {
      built.coefficient[k] = term.pair();
      mpfr_mul(term.value, term.value, ln2.value, MPFR_RNDN);
      mpfr_div_ui(term.value, term.value, k + 1, MPFR_RNDN);
    }
    return built;
  }();
  return tables;
}

}  // namespace

Pair add(Pair a, Pair b) {
  const double s = a.high + b.high;
  if (!std::isfinite(s)) return {s, 0.0};
  const double part = s - a.high;
  const double e = (a.high - (s - part)) + (b.high - part);
  const double t = a.low + b.low, part_low = t - a.low;
  const double f = (a.low - (t - part_low)) + (b.low - part_low);
  const Pair first = settle(s, e + t);
  return settle(first.high, first.low + f);
}

Pair multiply(Pair a, Pair b) {
  const double p = a.high * b.high;
  if (!std::isfinite(p)) return {p, 0.0};
  const double e = std::fma(a.high, b.high, -p);
  return settle(p, e + std::fma(a.high, b.low, a.low * b.high));
}

Pair divide(Pair a, Pair b) {
  const double q1 = a.high / b.high;
  if (!std::isfinite(q1) || !std::isfinite(b.high) || q1 == 0.0) return {q1, 0.0};
  Pair rest = add(a, negate(multiply(b, {q1, 0.0})));
  const double q2 = rest.high / b.high;
  rest = add(rest, negate(multiply(b, {q2, 0.0})));
  return add(settle(q1, q2), {rest.high / b.high, 0.0});
}

Pair square_root(Pair a) {
  const double root = std::sqrt(a.high);
  if (!std::isfinite(root) || root == 0.0) return {root, 0.0};
  // Two Newton steps from 53 bits: 2^-104.
  Pair x{root, 0.0};
  for (int step = 0; step < 2; ++step) {
    const Pair rest = add(a, negate(multiply(x, x)));
    x = add(x, {rest.high / (2.0 * root), 0.0});
  }
  return x;
}

Pair power_of_two(Pair a) {
  if (std::isnan(a.high) || a.high > 1100.0 || a.high < -1100.0) return {std::exp2(a.high), 0.0};
  const double n = std::rint(a.high);
  const Pair f = add(a, {-n, 0.0});
  const double j = std::rint(f.high * kSteps);
  const Pair g = add(f, {-j / kSteps, 0.0});
  const ExponentialTables& tables = exponential_tables();
  Pair sum = tables.coefficient[kTerms];
  for (int k = kTerms - 1; k >= 0; --k) sum = add(multiply(sum, g), tables.coefficient[static_cast<std::size_t>(k)]);
  const Pair y = multiply(sum, tables.power[static_cast<std::size_t>(j + kSteps)]);
  return {std::scalbn(y.high, static_cast<int>(n)), std::scalbn(y.low, static_cast<int>(n))};
}

Pair evaluate(ShadowOp function, Pair a) {
  Real x(a);
  switch (function) {
    case ShadowOp::lg2:
      mpfr_log2(x.value, x.value, MPFR_RNDN);
      break;
    case ShadowOp::sin:
      mpfr_sin(x.value, x.value, MPFR_RNDN);
      break;
    case ShadowOp::cos:
      mpfr_cos(x.value, x.value, MPFR_RNDN);
      break;
    default:
      mpfr_tanh(x.value, x.value, MPFR_RNDN);
  }
  return x.pair();
}

}  // namespace equinorm::vgpu
