// What depends on the kind of shadows: arithmetic on them, constants, and the collection of wide numbers.
#include <cmath>
#include <cstdlib>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {
namespace {

/// The row's bound as a spread around the exact result. "N ulp" is meant from the correctly rounded result, so half an ulp comes on top.
WideNumbers::Spread spread_of(const Decoded& d) {
  const Row& row = rows()[static_cast<std::size_t>(d.row)];
  if (row.exactness != Exactness::approximate) return {};
  const double ulps = std::strtod(row.bound, nullptr) + 0.5;
  const Type type = element_of(d.type);
  const int precision = type == Type::f16 ? 11 : type == Type::bf16 ? 8 : 24, smallest = type == Type::f16 ? -14 : -126;
  const double relative = std::scalbn(ulps, 1 - precision);
  // Of subnormal results; .ftz makes them 0.
  return {relative, std::scalbn(relative, smallest) + (d.ftz ? std::scalbn(1.0, smallest) : 0.0)};
}

}  // namespace

Pair apply_pair(ShadowOp op, Pair a, Pair b, Pair c) {
  switch (op) {
    case ShadowOp::add:
      return add(a, b);
    case ShadowOp::sub:
      return add(a, negate(b));
    case ShadowOp::mul:
      return multiply(a, b);
    case ShadowOp::fma:
      return add(multiply(a, b), c);
    case ShadowOp::div:
      return divide(a, b);
    case ShadowOp::rcp:
      return divide({1.0, 0.0}, a);
    case ShadowOp::sqrt:
      return square_root(a);
    case ShadowOp::rsqrt:
      return divide({1.0, 0.0}, square_root(a));
    case ShadowOp::ex2:
      return power_of_two(a);
    case ShadowOp::min:
      return std::isnan(a.high) ? b : std::isnan(b.high) ? a : less(b, a) ? b : a;
    case ShadowOp::max:
      return std::isnan(a.high) ? b : std::isnan(b.high) ? a : less(a, b) ? b : a;
    case ShadowOp::abs:
      return std::signbit(a.high) ? negate(a) : a;
    case ShadowOp::neg:
      return negate(a);
    default:
      return evaluate(op, a);
  }
}

/// What an instruction computes, on shadows.
Pair Shadows::apply(const Decoded& d, ShadowOp op, Pair a, Pair b, Pair c) {
  if (wide_ != nullptr) {
    const bool spreads = launch_.options.approximation == Approximation::interval && d.shadow == op;
    return wide_->apply(op, a, b, c, spreads ? spread_of(d) : WideNumbers::Spread{});
  }
  const Pair result = apply_pair(op, a, b, c);
  return store_.kind == ShadowKind::plain_double ? Pair{result.high, 0.0} : result;
}

Pair Shadows::constant(std::size_t number, bool is_negative) const {
  const Pair value = constant_pairs_[number];
  if (!is_negative) return value;
  return wide_ != nullptr ? wide_->apply(ShadowOp::neg, value, value, value, {}) : negate(value);
}

/// Drops the wide numbers to which no shadow belongs any more.
void Shadows::collect() {
  wide_->unmark();
  const auto mark = [this](Pair& shadow) { wide_->mark(shadow); };
  for (ShadowMemory* memory : {&global_, &shared_, &local_, &parameters_}) memory->for_each(mark);
  for (const Pair& one : constant_pairs_) wide_->mark(one);
  for (const File& file : files_)
    for (std::size_t slot = 0; slot < file.states.size(); ++slot) {
      const SlotState& known = file.states[slot];
      for (int h = 0; h < 2 && file.values[slot] != nullptr; ++h)
        for (u32 rest = known.half[h] | (h == 0 ? known.whole : 0); rest != 0; rest &= rest - 1)
          wide_->mark(file.values[slot]->value[h][std::countr_zero(rest)]);
    }
  wide_->sweep();
}

}  // namespace equinorm::vgpu
