// Independent models of single instructions: integers by 128-bit arithmetic and bit loops, floats by MPFR with the format's own exponent
// range.
#pragma once

#include <mpfr.h>

#include <functional>
#include <string>
#include <vector>

#include "vgpu/vgpu_support.hpp"

namespace vgpu_tests {

using u64 = std::uint64_t;
using Model = std::function<u64(u64, u64, u64)>;

/// `text` has A, B, C, D in place of the operands; widths of A..C in bits (0: absent), width of D.
struct OpcodeCase {
  std::string opcode;
  std::string operands;
  std::vector<int> widths;
  int result;
  bool is_float;
  Model model;
};

struct FloatShape {
  int precision, smallest, bits;
  u64 nan;
};
inline constexpr FloatShape kShape16{11, -14, 16, 0x7fff}, kShapeB16{8, -126, 16, 0x7fff}, kShape32{24, -126, 32, 0x7fffffff},
    kShape64{53, -1022, 64, 0x7ff8000000000000};

class Exact {
 public:
  Exact() { mpfr_init2(value, 400); }
  ~Exact() { mpfr_clear(value); }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;
  mpfr_t value;
};

/// The number that bits stand for.
inline void decode(u64 bits, const FloatShape& shape, mpfr_t to) {
  const int fraction = shape.precision - 1, exponents = shape.bits - shape.precision;
  const u64 f = bits & ((u64{1} << fraction) - 1), e = bits >> fraction & ((u64{1} << exponents) - 1);
  const bool negative = (bits >> (shape.bits - 1) & 1) != 0;
  if (e == (u64{1} << exponents) - 1) {
    if (f != 0)
      mpfr_set_nan(to);
    else
      mpfr_set_inf(to, negative ? -1 : 1);
    return;
  }
  mpfr_set_ui_2exp(to, e == 0 ? f : f | u64{1} << fraction,
                   (e == 0 ? shape.smallest : static_cast<long>(e) - 1 + shape.smallest) - fraction, MPFR_RNDN);
  if (negative) mpfr_neg(to, to, MPFR_RNDN);
}

/// Rounds an exactly known number to the format, subnormals and overflow included.
inline u64 encode(mpfr_t from, const FloatShape& shape, mpfr_rnd_t mode) {
  if (mpfr_nan_p(from) != 0) return shape.nan;
  const int fraction = shape.precision - 1, exponents = shape.bits - shape.precision;
  const u64 sign = mpfr_signbit(from) != 0 ? u64{1} << (shape.bits - 1) : 0, infinity = ((u64{1} << exponents) - 1) << fraction;
  if (mpfr_inf_p(from) != 0) return sign | infinity;
  if (mpfr_zero_p(from) != 0) return sign;
  const long exponent = std::max<long>(mpfr_get_exp(from) - 1, shape.smallest);
  Exact scaled;
  mpfr_set_prec(scaled.value, mpfr_get_prec(from));
  mpfr_mul_2si(scaled.value, from, fraction - exponent, MPFR_RNDN);
  mpfr_rint(scaled.value, scaled.value, mode);
  mpfr_abs(scaled.value, scaled.value, MPFR_RNDN);
  // Adding the significand to the exponent field carries on its own.
  const u64 significand = mpfr_get_ui(scaled.value, MPFR_RNDN);
  const u64 bits = (static_cast<u64>(exponent - shape.smallest) << fraction) + significand;
  if (bits < infinity) return sign | bits;
  const bool stays = mode == MPFR_RNDZ || (mode == MPFR_RNDD && sign == 0) || (mode == MPFR_RNDU && sign != 0);
  return sign | (stays ? infinity - 1 : infinity);
}

/// op(result, a, b, c) at 2200 bits: exact for sums and products of binary64 numbers, and closer than any rounding to 53 bits or fewer
/// could mistake for quotients, roots and functions.
using FloatOp = std::function<void(mpfr_t, mpfr_t, mpfr_t, mpfr_t, mpfr_rnd_t)>;
inline Model float_model(const FloatShape& shape, FloatOp op, mpfr_rnd_t mode = MPFR_RNDN, bool ftz = false, bool sat = false) {
  return [=](u64 a, u64 b, u64 c) -> u64 {
    const auto flush = [&](u64 x) {
      return ftz && (x >> (shape.precision - 1) & ((u64{1} << (shape.bits - shape.precision)) - 1)) == 0 ? x & u64{1} << (shape.bits - 1)
                                                                                                         : x;
    };
    Exact x, y, z, r;
    for (Exact* one : {&x, &y, &z, &r}) mpfr_set_prec(one->value, 2200);
    decode(flush(a), shape, x.value);
    decode(flush(b), shape, y.value);
    decode(flush(c), shape, z.value);
    op(r.value, x.value, y.value, z.value, mode);
    u64 bits = encode(r.value, shape, mode);
    if (mpfr_nan_p(r.value) == 0) bits = flush(bits);
    if (!sat) return bits;
    if (mpfr_nan_p(r.value) != 0 || mpfr_sgn(r.value) <= 0) return 0;
    return mpfr_cmp_ui(r.value, 1) >= 0 ? static_cast<u64>(0x3f800000) : bits;
  };
}

/// Values at the edges of a format.
inline std::vector<u64> float_edges(const FloatShape& shape) {
  const int fraction = shape.precision - 1;
  const u64 one = static_cast<u64>(1 - shape.smallest) << fraction, infinity = ((u64{1} << (shape.bits - shape.precision)) - 1) << fraction;
  std::vector<u64> edges;
  for (const u64 x :
       {u64{0}, u64{1}, (u64{1} << fraction) - 1, u64{1} << fraction, (u64{1} << fraction) + 1, one, one + 1, one - 1,
        one + (u64{1} << fraction), one + (static_cast<u64>(fraction) << fraction), infinity / 2, infinity - 1, infinity, infinity + 1})
    edges.push_back(x), edges.push_back(x | u64{1} << (shape.bits - 1));
  return edges;
}

inline std::vector<u64> integer_edges(int width) {
  const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
  std::vector<u64> edges;
  for (const u64 x : {u64{0}, u64{1}, u64{2}, u64{3}, u64{7}, u64{15}, u64{16}, u64{31}, u64{32}, u64{33}, u64{63}, u64{64}, u64{255},
                      u64{0x7654}, mask, mask - 1, mask >> 1, (mask >> 1) + 1, mask / 3})
    edges.push_back(x & mask);
  return edges;
}

inline long long signed_of(u64 x, int width) { return static_cast<long long>(x << (64 - width)) >> (64 - width); }

std::vector<OpcodeCase> integer_cases();
std::vector<OpcodeCase> float_cases();
std::vector<OpcodeCase> conversion_cases();

}  // namespace vgpu_tests
