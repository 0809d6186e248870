// Rounding errors by source line: what each introduces, whether the shadows keep it, and comparisons that come out otherwise without it.
#include <algorithm>
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

Pair Shadows::note(Warp& warp, const Decoded& d, int lane, Pair exact, double result, Type type, bool finite_operands, Pair shadow) {
  ++launch_.report->shadow.operations;
  if (!std::isfinite(result) || !std::isfinite(exact.high)) {
    if (launch_.options.find_nan && finite_operands && !std::isfinite(result))
      report(warp, d, FindingKind::not_a_number, lane, 0, 0, Space::reg,
             std::isnan(result) ? "a NaN from finite numbers" : "an infinity from finite numbers");
    return shadow;
  }
  const int precision = type == Type::f64 ? 53 : type == Type::f32 ? 24 : type == Type::f16 ? 11 : 8;
  const int smallest = type == Type::f64 ? -1022 : type == Type::f16 ? -14 : -126;
  const double signed_error = (result - exact.high) - exact.low, error = std::fabs(signed_error);
  LineStatistics& place = line(d);
  ++place.operations;
  place.sum[lane] += error;
  if (error == 0.0) return shadow;
  const int exponent = result == 0.0 ? smallest : std::max(std::ilogb(result), smallest);
  place.largest_ulp[lane] = std::max(place.largest_ulp[lane], std::scalbn(error, precision - 1 - exponent));
  return keeps_rounding(d) ? add(shadow, {signed_error, 0.0}) : shadow;
}

void Shadows::keep_rounding(ShadowOp op, const float* const* v, const float* result, u32 mask, Pairs& to) {
  Pairs exact, operand[3];
  for (int k = 0; k < 3; ++k) kernels_.start(v[k], 0, exact, operand[k]);
  kernels_.apply(op, operand[0], operand[1], operand[2], exact);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    if (!std::isfinite(result[i]) || !std::isfinite(exact.high[i])) continue;
    to.set(i, add(to[i], {(static_cast<double>(result[i]) - exact.high[i]) - exact.low[i], 0.0}));
  }
}

/// The comparisons of setp, in the order of the table.
bool Shadows::holds(int mode, Pair a, Pair b) const {
  const bool unordered = std::isnan(a.high) || std::isnan(b.high);
  if (mode >= 12) return unordered == (mode == 13);
  if (unordered) return mode >= 6;
  const bool below = is_less(a, b), above = is_less(b, a);
  switch (mode % 6) {
    case 0:
      return !below && !above;
    case 1:
      return below || above;
    case 2:
      return below;
    case 3:
      return !above;
    case 4:
      return above;
    default:
      return !below;
  }
}

void Shadows::compare(Warp& warp, const Decoded& d, u32 mask) {
  const u32 at = d.has_pair ? 2 : 1, first = d.slot[at], second = d.slot[at + 1];
  const bool any = state(warp, first).has_any(mask) || state(warp, second).has_any(mask);
  for (u32 rest = any && store_.kind != ShadowKind::origins ? mask : 0; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    const u64 restarts = launch_.report->shadow.restarts;
    const Operand x = read(warp, first, d.type, -1, i), y = read(warp, second, d.type, -1, i);
    launch_.report->shadow.restarts = restarts;  // nothing is computed with them
    if (holds(d.mode, x.shadow, y.shadow) != holds(d.mode, x.value, y.value)) ++branches_[static_cast<std::size_t>(d.place + 1)];
  }
  d.handler(warp, d, mask);
}

}  // namespace equinorm::vgpu
