// The error of a chain of blocks.
//
// One block, T = c + sum p_k exact, S the sum of the cut addends, d = rho(S), q = 2^(E-F), u = 2^-23 (fp32), 2^-13 (e8m13), 2^-11 (fp16):
//
// (1) An addend x becomes t with |t| <= |x|, the same sign and |x - t| < q. An addend of exponent E whose significand has no more than F
//     fraction bits stays exact. Products have 2 p <= F of them in every unit. So does c (23 <= F, or 14-bit results of earlier e8m13
//     blocks, or fp16 numbers), except for an fp32 c_0 where F = 13. The largest exponent belongs to c, to a product, or to a zero: of the
//     L + 1 addends at most L are inexact, hence |S - T| < L q; for an inexact c_0 it is (L + 1) q, in the first block only.
// (2) Exponents of products are e(a) + e(b), for normal factors no larger than floor(log2 |p|): their significands lie in [1, 4), so that
//     not normalising them makes q smaller, never larger, and no factor 2 is due. With M the largest |addend|, 2^E <= M.
//     A subnormal number's exponent is larger than its value says. Then 2^E <= max(M, w),
//         w = max(2^emin(c), 2^emin(in) max(largest factor, 2^emin(in))),
//     the second only if a factor is subnormal. A zero's exponent is below emin(c) in every unit.
// (3) fp32 and e8m13 cut S: |d| <= |S| and |d - S| < max(u |S|, z), z = 2^-149 or 2^-139. fp16 rounds: |d - S| <= max(u |S|, z),
//     z = 2^-25, |d| <= (1 + u) |S| + z.
//
// Chain of q_n = ceil(n / L) blocks: T_j = c_{j-1} + (products of block j) and c_j = T_j + eta_j, so the error is sum_j eta_j, with factor
// 1. With P_j = |c_0| + sum |p| over the blocks up to j, and cuts never increasing a magnitude, |c_j| <= P_j <= B = |c_0| + sum |p|, whence
//     sum |eta_j| <= sum_j (u P_j + L_j 2^-F max(P_j, w) + z) <= (q_n u + n 2^-F) B + n 2^-F w + q_n z.
// For fp16 |c_j| grows: (1 + u)^(q_n - 1) times the factor, and what underflow adds is carried on with at most 1 + D.
//
// `halves`: y is such a chain of two blocks over its own products from +0, |y - sum p| <= D_i sum |p| + U_i, and c_j = RN(y + c_{j-1})
// with RN to nearest, of unit v = 2^-24 (fp32) or 2^-11 (fp16) and without underflow. Then |c_j| <= (1 + v)^j (1 + D_i) P_j, up to U_i, and
//     |error| <= ((1 + D_i) (1 + v)^q_n - 1) B + q_n (1 + v)^q_n U_i.
#include <algorithm>
#include <cmath>

#include "scalar/tensor_core.hpp"
#include "scalar/tensor_core_formats.hpp"

namespace equinorm::scalar {
namespace {

/// Covers the roundings of the few operations below.
constexpr double kUpwards = 1 + 0x1p-45;

double blocks_of(const TensorCore& unit, std::int64_t n) { return std::ceil(static_cast<double>(n) / unit.block); }

/// u of (3).
double output_error(const TensorCore& unit) {
  const int fraction = output_format(unit.rounding).fraction;
  return std::ldexp(1.0, unit.rounding == TensorRounding::fp16 ? -fraction - 1 : -fraction);
}

/// v of `halves`.
double join_error(const TensorCore& unit) { return unit.rounding == TensorRounding::fp16 ? 0x1p-11 : 0x1p-24; }

/// (1 + v)^count - 1.
double compounded(double v, double count) { return std::expm1(count * std::log1p(v)) * kUpwards; }

}  // namespace

double tensor_core_error_factor(const TensorCore& unit, std::int64_t n) {
  if (n <= 0) return 0;
  const double blocks = blocks_of(unit, n);
  if (unit.halves) {
    const double inner = tensor_core_error_factor(inner_unit(unit), unit.block);
    const double joins = compounded(join_error(unit), blocks);
    return (inner + joins + inner * joins) * kUpwards;
  }
  const bool fp16 = unit.rounding == TensorRounding::fp16;
  const double u = output_error(unit), cut = std::ldexp(1.0, -unit.fraction);
  const int c_fraction = fp16 ? output_format(unit.rounding).fraction : kFp32Accumulator.fraction;
  const double inexact = static_cast<double>(n) + (unit.fraction < c_fraction ? 1 : 0);
  const double growth = fp16 ? 1 + compounded(u, blocks - 1) : 1;
  return (blocks * u + inexact * cut) * growth * kUpwards;
}

double tensor_core_underflow(const TensorCore& unit, std::int64_t n, double largest_factor) {
  if (n <= 0) return 0;
  const double blocks = blocks_of(unit, n);
  if (unit.halves) {
    const TensorCore inner = inner_unit(unit);
    const double each = tensor_core_underflow(inner, unit.block, largest_factor);
    return blocks * each * (1 + compounded(join_error(unit), blocks)) * kUpwards;
  }
  const TensorFormat& output = output_format(unit.rounding);
  const bool fp16 = unit.rounding == TensorRounding::fp16;
  const double smallest = std::ldexp(1.0, input_format(unit.input).min_exponent);
  const double subnormal_factor = largest_factor > 0 ? smallest * std::max(largest_factor, smallest) : 0;
  const double w = std::max(std::ldexp(1.0, output.min_exponent), subnormal_factor);
  const double z = std::ldexp(1.0, output.min_exponent - output.fraction - (fp16 ? 1 : 0));
  const double total = std::ldexp(w, -unit.fraction) * (static_cast<double>(n) + 1) + blocks * z;
  return total * (fp16 ? 1 + tensor_core_error_factor(unit, n) : 1) * kUpwards;
}

}  // namespace equinorm::scalar
