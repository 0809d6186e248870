// Arithmetic on single numbers, compiled once: directed rounding, special functions, conversions, fp16 and bf16.
#include <mpfr.h>

#include <bit>
#include <cfenv>
#include <cmath>

#include "scalar/rounding.hpp"
#include "vgpu/launch.hpp"

namespace equinorm::vgpu {
namespace {

int fenv_mode(Rounding rounding) {
  switch (rounding) {
    case Rounding::zero:
      return FE_TOWARDZERO;
    case Rounding::down:
      return FE_DOWNWARD;
    case Rounding::up:
      return FE_UPWARD;
    default:
      return FE_TONEAREST;
  }
}

/// Runs one operation under a rounding mode of the processor. The operands and the result go through volatile, which no compiler moves
/// across the calls that change the mode.
template <class Operation>
float under(Rounding rounding, Operation operation) {
  const int before = std::fegetround();
  std::fesetround(fenv_mode(rounding));
  volatile float result = operation();
  std::fesetround(before);
  return result;
}

void evaluate(Transcendental function, mpfr_t y, mpfr_t x) {
  switch (function) {
    case Transcendental::sqrt:
      mpfr_sqrt(y, x, MPFR_RNDN);
      break;
    case Transcendental::rsqrt:
      mpfr_rec_sqrt(y, x, MPFR_RNDN);
      break;
    case Transcendental::ex2:
      mpfr_exp2(y, x, MPFR_RNDN);
      break;
    case Transcendental::lg2:
      mpfr_log2(y, x, MPFR_RNDN);
      break;
    case Transcendental::sin:
      mpfr_sin(y, x, MPFR_RNDN);
      break;
    case Transcendental::cos:
      mpfr_cos(y, x, MPFR_RNDN);
      break;
    case Transcendental::tanh:
      mpfr_tanh(y, x, MPFR_RNDN);
      break;
  }
}

struct Number {
  explicit Number(mpfr_prec_t bits) { mpfr_init2(value, bits); }
  ~Number() { mpfr_clear(value); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  mpfr_t value;
};

double to_integral(double x, Rounding rounding) {
  switch (rounding) {
    case Rounding::zero:
      return std::trunc(x);
    case Rounding::down:
      return std::floor(x);
    case Rounding::up:
      return std::ceil(x);
    case Rounding::away:
      return std::round(x);
    default:
      return std::nearbyint(x);
  }
}

/// x rounded to `precision` bits with subnormals below 2^smallest, in any mode. Exact in binary64 for the formats used here.
double quantise(double x, int precision, int smallest, Rounding rounding) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), smallest) - precision + 1;
  const double scaled = std::scalbn(x, -exponent);
  return std::copysign(std::scalbn(to_integral(scaled, rounding), exponent), x);
}

struct FloatFormat {
  int precision, smallest, greatest;
  int bits;
};
FloatFormat format_of(Type type) {
  switch (type) {
    case Type::f16:
      return {11, -14, 15, 16};
    case Type::bf16:
      return {8, -126, 127, 16};
    case Type::tf32:
      return {11, -126, 127, 32};
    case Type::f32:
      return {24, -126, 127, 32};
    default:
      return {53, -1022, 1023, 64};
  }
}

u64 write_float(double x, Type type) {
  const bool is_nan = std::isnan(x);
  switch (type) {
    case Type::f16:
      return is_nan ? 0x7fff : scalar::fp16_bits(x);
    case Type::bf16:
      return is_nan ? 0x7fff : scalar::bf16_bits(x);
    case Type::f64:
      return is_nan ? 0x7ff8000000000000u : std::bit_cast<u64>(x);
    default:
      return is_nan ? 0x7fffffffu : std::bit_cast<u32>(static_cast<float>(x));
  }
}

/// The largest finite number where the mode does not go to infinity.
double overflow(double x, const FloatFormat& format, Rounding rounding) {
  const double largest = std::scalbn(2.0 - std::scalbn(1.0, 1 - format.precision), format.greatest);
  if (std::fabs(x) <= largest || !std::isfinite(x)) return x;
  const bool stays = rounding == Rounding::zero || (rounding == Rounding::down && x > 0) || (rounding == Rounding::up && x < 0);
  return std::copysign(stays ? largest : HUGE_VAL, x);
}

u64 to_integer_type(double x, Type to, Rounding rounding) {
  if (std::isnan(x)) return size_of(to) == 8 ? u64{1} << 63 : 0;
  const double integral = to_integral(x, rounding);
  const int bits = 8 * size_of(to) - (is_signed(to) ? 1 : 0);
  const double limit = std::scalbn(1.0, bits);
  if (integral >= limit) return bits == 64 ? ~u64{0} : (u64{1} << bits) - 1;
  if (is_signed(to)) return integral < -limit ? 0 - (u64{1} << bits) : static_cast<u64>(static_cast<s64>(integral));
  return integral <= 0 ? 0 : static_cast<u64>(integral);
}

s64 sign_extend(u64 bits, int bytes) { return static_cast<s64>(bits << (64 - 8 * bytes)) >> (64 - 8 * bytes); }

u64 integer_to_integer(u64 bits, Type from, Type to, bool sat) {
  const s64 value = is_signed(from) ? sign_extend(bits, size_of(from))
                                    : static_cast<s64>(size_of(from) == 8 ? bits : bits & ((u64{1} << (8 * size_of(from))) - 1));
  if (!sat) return static_cast<u64>(value);
  const bool is_huge = !is_signed(from) && value < 0;  // an u64 above 2^63
  const int width = 8 * size_of(to) - (is_signed(to) ? 1 : 0);
  const u64 most = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
  if (is_huge || (value > 0 && static_cast<u64>(value) > most)) return most;
  if (value >= 0) return static_cast<u64>(value);
  if (!is_signed(to)) return 0;
  return static_cast<u64>(std::max(value, -static_cast<s64>(most) - 1));
}

u64 integer_to_float(u64 bits, Type from, Type to, Rounding rounding) {
  const s64 value = static_cast<s64>(integer_to_integer(bits, from, from, false));
  Number x(64);
  if (is_signed(from))
    mpfr_set_si(x.value, value, MPFR_RNDN);
  else
    mpfr_set_ui(x.value, static_cast<u64>(value), MPFR_RNDN);
  const FloatFormat format = format_of(to);
  Number y(format.precision);
  mpfr_set(y.value, x.value,
           rounding == Rounding::zero   ? MPFR_RNDZ
           : rounding == Rounding::down ? MPFR_RNDD
           : rounding == Rounding::up   ? MPFR_RNDU
                                        : MPFR_RNDN);
  return write_float(overflow(mpfr_get_d(y.value, MPFR_RNDN), format, rounding), to);
}

u64 float_to_float(double x, Type from, Type to, Rounding rounding, bool ftz, bool sat, bool relu, bool to_integer) {
  const FloatFormat format = format_of(to);
  if (ftz && from == Type::f32 && std::fabs(x) < 0x1p-126) x = std::copysign(0.0, x);
  if (to_integer) x = std::isfinite(x) ? std::copysign(to_integral(x, rounding), x) : x;
  if (sat) x = x > 0 ? std::min(x, 1.0) : 0.0;  // NaN to 0
  if (relu && x < 0) x = 0.0;
  if (to != Type::f64) x = overflow(quantise(x, format.precision, format.smallest, rounding), format, rounding);
  if (ftz && to == Type::f32 && std::fabs(x) < 0x1p-126) x = std::copysign(0.0, x);
  return write_float(x, to);
}

}  // namespace

double read_float(u64 bits, Type type) {
  switch (type) {
    case Type::f16:
      return scalar::fp16_value(static_cast<u16>(bits));
    case Type::bf16:
      return scalar::bf16_value(static_cast<u16>(bits));
    case Type::f64:
      return std::bit_cast<double>(bits);
    default:
      return std::bit_cast<float>(static_cast<u32>(bits));
  }
}

float directed(DirectedOp op, Rounding rounding, float a, float b, float c) {
  volatile float x = a, y = b, z = c;
  return under(rounding, [&]() -> float {
    switch (op) {
      case DirectedOp::add:
        return x + y;
      case DirectedOp::sub:
        return x - y;
      case DirectedOp::mul:
        return x * y;
      case DirectedOp::div:
        return x / y;
      default:
        return std::fma(x, y, z);
    }
  });
}

double nearly(Transcendental function, double x) {
  Number argument(53), value(96);
  mpfr_set_d(argument.value, x, MPFR_RNDN);
  evaluate(function, value.value, argument.value);
  return mpfr_get_d(value.value, MPFR_RNDN);
}

float correctly_rounded(Transcendental function, float x) {
  Number argument(24), value(128);
  mpfr_set_flt(argument.value, x, MPFR_RNDN);
  evaluate(function, value.value, argument.value);
  return mpfr_get_flt(value.value, MPFR_RNDN);
}

u64 convert(u64 bits, Type from, Type to, Rounding rounding, bool ftz, bool sat, bool relu, bool to_integer, bool has_rounding) {
  if (!is_float(from)) return is_float(to) ? integer_to_float(bits, from, to, rounding) : integer_to_integer(bits, from, to, sat);
  double x = read_float(bits, from);
  if (!is_float(to)) {
    if (ftz && from == Type::f32 && std::fabs(x) < 0x1p-126) x = 0.0;
    return to_integer_type(x, to, has_rounding ? rounding : Rounding::zero);
  }
  return float_to_float(x, from, to, rounding, ftz, sat, relu, to_integer);
}

u16 half_operation(HalfOp op, bool is_bf16, u16 a, u16 b, u16 c, const Decoded& d) {
  const u16 sign = 0x8000, infinity = is_bf16 ? 0x7f80 : 0x7c00;
  const auto is_nan = [&](u16 x) { return (x & 0x7fff) > infinity; };
  const auto flush = [&](u16 x) { return d.ftz && (x & infinity) == 0 ? static_cast<u16>(x & sign) : x; };
  a = flush(a), b = flush(b), c = flush(c);
  if (op == HalfOp::abs) return is_nan(a) ? 0x7fff : static_cast<u16>(a & 0x7fff);
  if (op == HalfOp::neg) return is_nan(a) ? 0x7fff : static_cast<u16>(a ^ sign);
  const auto value = [&](u16 x) { return is_bf16 ? scalar::bf16_value(x) : scalar::fp16_value(x); };
  if (op == HalfOp::min || op == HalfOp::max) {
    if (is_nan(a) || is_nan(b)) return (is_nan(a) && is_nan(b)) || d.nan ? 0x7fff : is_nan(a) ? b : a;
    const bool first = value(a) == value(b) ? ((a & sign) != 0) == (op == HalfOp::min) : (value(a) < value(b)) == (op == HalfOp::min);
    return first ? a : b;
  }
  const scalar::Format format = is_bf16 ? scalar::kBf16 : scalar::kFp16;
  const double x = value(a), y = value(b), z = value(c);
  double r = 0;
  switch (op) {
    case HalfOp::add:
      r = scalar::rounded_add(format, x, y);
      break;
    case HalfOp::sub:
      r = scalar::rounded_add(format, x, -y);
      break;
    case HalfOp::mul:
      r = scalar::rounded_multiply(format, x, y);
      break;
    case HalfOp::fma:
      r = scalar::rounded_fma(format, x, y, z);
      break;
    case HalfOp::ex2:
      r = nearly(Transcendental::ex2, x);
      break;
    default:
      r = nearly(Transcendental::tanh, x);
  }
  if (d.sat) r = r > 0 ? std::min(r, 1.0) : 0.0;
  if (d.relu && r < 0) r = 0.0;
  return flush(static_cast<u16>(write_float(r, is_bf16 ? Type::bf16 : Type::f16)));
}

bool is_perturbed(const Warp& warp, u64& seed) {
  const Options& options = warp.block->launch->options;
  seed = options.seed * 0x9e3779b97f4a7c15u;
  return options.approximation == Approximation::perturbed;
}

}  // namespace equinorm::vgpu
