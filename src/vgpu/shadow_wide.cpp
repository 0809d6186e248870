#include "vgpu/shadow_wide.hpp"

#include <bit>
#include <cmath>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

using scalar::Ball;

/// Further bits for arguments of functions that enlarge errors, such as 2^x.
constexpr int kGuard = 32;

bool is_special(Pair wide) { return !std::isfinite(wide.high); }

}  // namespace

Ball WideNumbers::ball(Pair wide) const {
  const std::size_t at = handle(wide);
  return at == 0 ? Ball::from_double(wide.high) : pool_[at];
}

Pair WideNumbers::keep(Ball&& ball) {
  if (arb_is_finite(ball.get()) == 0) return {std::numeric_limits<double>::quiet_NaN(), 0.0};
  const double high = arf_get_d(arb_midref(ball.get()), ARF_RND_NEAR);
  if (arb_is_exact(ball.get()) != 0 && arf_cmp_d(arb_midref(ball.get()), high) == 0) return {high, 0.0};
  std::size_t at = 0;
  if (free_.empty()) {
    at = pool_.size();
    pool_.push_back(std::move(ball));
    marks_.push_back(1);
  } else {
    at = free_.back();
    free_.pop_back();
    pool_[at] = std::move(ball);
    marks_[at] = 1;
  }
  ++used_;
  // A midpoint beyond the doubles keeps its handle; the sign of infinity is then all that `high` says.
  return {high, std::bit_cast<double>(static_cast<std::uint64_t>(at))};
}

Pair WideNumbers::from_pair(Pair doubles) {
  if (doubles.low == 0.0 || is_special(doubles)) return {doubles.high, 0.0};
  Ball sum;
  arb_set_d(sum.writable(), doubles.high);
  arf_t low;
  arf_init(low);
  arf_set_d(low, doubles.low);
  arb_add_arf(sum.writable(), sum.get(), low, ARF_PREC_EXACT);
  arf_clear(low);
  return keep(std::move(sum));
}

Pair WideNumbers::log2_e() {
  Ball result;
  arb_const_log2(result.writable(), bits_ + kGuard);
  arb_inv(result.writable(), result.get(), bits_);
  return keep(std::move(result));
}

Pair WideNumbers::ln_2() {
  Ball result;
  arb_const_log2(result.writable(), bits_);
  return keep(std::move(result));
}

Ball WideNumbers::evaluate(ShadowOp op, Pair a, Pair b, Pair c) const {
  const Ball x = ball(a);
  Ball y;
  const auto other = [&] { return ball(b); };
  switch (op) {
    case ShadowOp::add:
      arb_add(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::sub:
      arb_sub(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::mul:
      arb_mul(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::fma:
      y = ball(c);
      arb_addmul(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::div:
      arb_div(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::rcp:
      arb_inv(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::sqrt:
      arb_sqrt(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::rsqrt:
      arb_rsqrt(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::ex2:
      arb_const_log2(y.writable(), bits_ + kGuard);
      arb_mul(y.writable(), y.get(), x.get(), bits_ + kGuard);
      arb_exp(y.writable(), y.get(), bits_);
      break;
    case ShadowOp::lg2:
      arb_log_base_ui(y.writable(), x.get(), 2, bits_);
      break;
    case ShadowOp::sin:
      arb_sin(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::cos:
      arb_cos(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::tanh:
      arb_tanh(y.writable(), x.get(), bits_);
      break;
    case ShadowOp::min:
      arb_min(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::max:
      arb_max(y.writable(), x.get(), other().get(), bits_);
      break;
    case ShadowOp::abs:
      arb_abs(y.writable(), x.get());
      break;
    default:
      arb_neg(y.writable(), x.get());
  }
  return y;
}

Pair WideNumbers::apply(ShadowOp op, Pair a, Pair b, Pair c, Spread spread) {
  const bool two = op == ShadowOp::add || op == ShadowOp::sub || op == ShadowOp::mul || op == ShadowOp::fma || op == ShadowOp::div ||
                   op == ShadowOp::min || op == ShadowOp::max;
  const bool special = is_special(a) || (two && is_special(b)) || (op == ShadowOp::fma && is_special(c));
  if (special && (op == ShadowOp::min || op == ShadowOp::max)) {
    if (std::isnan(a.high)) return b;
    if (std::isnan(b.high)) return a;
    return (a.high < b.high) == (op == ShadowOp::min) ? a : b;
  }
  // What comes of an infinity or a NaN is 0, an infinity or a NaN: exact in doubles.
  const bool is_pole =
      (op == ShadowOp::div && b.high == 0.0 && handle(b) == 0) || (op == ShadowOp::rcp && a.high == 0.0 && handle(a) == 0) ||
      (op == ShadowOp::rsqrt && a.high == 0.0 && handle(a) == 0) || (op == ShadowOp::lg2 && a.high == 0.0 && handle(a) == 0);
  if (special || is_pole) return {apply_pair(op, {a.high, 0.0}, {b.high, 0.0}, {c.high, 0.0}).high, 0.0};
  Ball result = evaluate(op, a, b, c);
  if (spread.relative > 0 || spread.absolute > 0) {
    mag_t size, part;
    mag_init(size), mag_init(part);
    arb_get_mag(size, result.get());
    mag_set_d(part, spread.relative);
    mag_mul(size, size, part);
    mag_set_d(part, spread.absolute);
    mag_add(size, size, part);
    arb_add_error_mag(result.writable(), size);
    mag_clear(size), mag_clear(part);
  }
  return keep(std::move(result));
}

bool WideNumbers::less(Pair a, Pair b) const {
  if (is_special(a) || is_special(b)) return a.high < b.high;
  return arf_cmp(arb_midref(ball(a).get()), arb_midref(ball(b).get())) < 0;
}

void WideNumbers::expand(Pair wide, double& high, double& low, std::vector<double>& rest, double& radius) const {
  high = wide.high, low = 0, radius = is_special(wide) ? std::numeric_limits<double>::infinity() : 0;
  rest.clear();
  if (handle(wide) == 0 || is_special(wide)) return;
  const Ball value = ball(wide);
  arf_t left, part;
  arf_init(left), arf_init(part);
  arf_set(left, arb_midref(value.get()));
  for (int at = 0; at <= bits_ / 53 + 1 && arf_is_zero(left) == 0; ++at) {
    const double next = arf_get_d(left, ARF_RND_NEAR);
    if (next == 0.0) break;
    (at == 0 ? high : at == 1 ? low : rest.emplace_back()) = next;
    arf_set_d(part, next);
    arf_sub(left, left, part, ARF_PREC_EXACT, ARF_RND_NEAR);
  }
  // What the doubles leave counts as radius.
  mag_t size;
  mag_init(size);
  arf_get_mag(size, left);
  mag_add(size, size, arb_radref(value.get()));
  radius = std::nextafter(mag_get_d(size), std::numeric_limits<double>::infinity());
  mag_clear(size);
  arf_clear(left), arf_clear(part);
}

Pair WideNumbers::to_pair(Pair wide) const {
  double high = 0, low = 0, radius = 0;
  std::vector<double> rest;
  expand(wide, high, low, rest, radius);
  return {high, low};
}

Pair WideNumbers::take(const WideNumbers& other, Pair wide) { return handle(wide) == 0 ? wide : keep(other.ball(wide)); }

void WideNumbers::unmark() { std::fill(marks_.begin(), marks_.end(), std::uint8_t{0}); }

void WideNumbers::sweep() {
  free_.clear();
  std::size_t live = 0;
  for (std::size_t at = 1; at < pool_.size(); ++at) {
    if (marks_[at] != 0)
      ++live;
    else
      free_.push_back(at);
  }
  used_ = live;
  limit_ = std::max(limit_, 2 * live);
}

void ShadowStore::use(ShadowKind new_kind, int new_bits) {
  if (new_kind == kind && new_bits == bits) return;
  std::unique_ptr<WideNumbers> fresh;
  if (new_kind == ShadowKind::ball || new_kind == ShadowKind::arbitrary) fresh = std::make_unique<WideNumbers>(new_bits);
  if ((new_kind == ShadowKind::origins) != (kind == ShadowKind::origins)) {
    memory.clear();
    origins.clear();
  } else if (fresh != nullptr || wide != nullptr) {
    memory.for_each([&](Pair& shadow) {
      if (fresh != nullptr)
        shadow = wide != nullptr ? fresh->take(*wide, shadow) : fresh->from_pair(shadow);
      else
        shadow = wide->to_pair(shadow);
    });
  }
  wide = std::move(fresh);
  kind = new_kind, bits = new_bits;
}

}  // namespace equinorm::vgpu
