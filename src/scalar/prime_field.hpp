// The field of p = 2^50 - 27 elements, in which identities between polynomials are tested without rounding.
#pragma once

#include <cstdint>

#include "scalar/decimal.hpp"

namespace equinorm::scalar {

/// The largest prime below 2^50: products of two elements fit the 52-bit integer multiplier of AVX-512 IFMA.
inline constexpr std::uint64_t kFieldPrime = (std::uint64_t{1} << 50) - 27;

/// An element of F_p, as its representative in [0, p).
struct FieldElement {
  std::uint64_t value = 0;

  static FieldElement from_integer(std::int64_t integer);
  /// numerator / denominator mod p. Throws Error if p divides the denominator.
  static FieldElement from_rational(const Rational& rational);

  friend constexpr bool operator==(FieldElement, FieldElement) = default;
};

/// Any 64-bit number mod p: 2^50 = 27, so x = 27 (x >> 50) + (x mod 2^50) < 2p.
constexpr FieldElement field_reduce(std::uint64_t x) {
  const std::uint64_t folded = 27 * (x >> 50) + (x & ((std::uint64_t{1} << 50) - 1));
  return {folded >= kFieldPrime ? folded - kFieldPrime : folded};
}

constexpr FieldElement add(FieldElement a, FieldElement b) {
  const std::uint64_t sum = a.value + b.value;
  return {sum >= kFieldPrime ? sum - kFieldPrime : sum};
}

constexpr FieldElement neg(FieldElement a) { return {a.value == 0 ? 0 : kFieldPrime - a.value}; }

constexpr FieldElement sub(FieldElement a, FieldElement b) {
  return {a.value >= b.value ? a.value - b.value : a.value + kFieldPrime - b.value};
}

constexpr FieldElement mul(FieldElement a, FieldElement b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a.value) * b.value;  // < 2^100
  return field_reduce(27 * static_cast<std::uint64_t>(product >> 50) +
                      (static_cast<std::uint64_t>(product) & ((std::uint64_t{1} << 50) - 1)));
}

/// a^exponent; 0^0 = 1.
constexpr FieldElement pow(FieldElement a, std::uint64_t exponent) {
  FieldElement result{1};
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = mul(result, a);
    a = mul(a, a);
  }
  return result;
}

/// 1/a = a^(p-2). Throws Error if a is 0.
FieldElement inverse(FieldElement a);

/// sum_k a[k a_stride] b[k b_stride] for k in [0, length).
FieldElement dot(std::int64_t length, const FieldElement* a, std::int64_t a_stride, const FieldElement* b, std::int64_t b_stride);

/// out(m x n) = a(m x depth) b(depth x n), or out + a b if `add`; row-major, `ld*` elements from row to row. Runs on the calling thread,
/// with the instruction set of simd_level(); the result does not depend on it. `out` must not overlap `a` or `b`. Throws Error for negative
/// sizes and for leading dimensions below the row length.
void matmul(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, const FieldElement* b,
            std::int64_t ldb, FieldElement* out, std::int64_t ldo, bool add);

/// As matmul with b transposed in memory: b(k, j) = b[j ldb + k], ldb >= depth.
void matmul_transposed(std::int64_t m, std::int64_t n, std::int64_t depth, const FieldElement* a, std::int64_t lda, const FieldElement* b,
                       std::int64_t ldb, FieldElement* out, std::int64_t ldo, bool add);

}  // namespace equinorm::scalar
