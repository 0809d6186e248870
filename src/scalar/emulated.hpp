// Matrix products, dot products and sums in an emulated number format: every operation is rounded.
#pragma once

#include <cstdint>

#include "scalar/format.hpp"
#include "scalar/sum_order.hpp"

namespace equinorm::scalar {

/// How a contraction sum_k a_k b_k is computed.
///
/// One step is round(p + s) with p the exact product if `fused`, and round(round(a b) + s) if not; round is to nearest-even into
/// `accumulate` (followed, if `ftz`, by a flush of subnormal results to zeros of their sign; operands are not flushed). The orders are
/// those of SumOrder:
///   sequential, any: from the first product, which is simply rounded, k upwards;
///   blocked:N: each block so, from its own first product, then round(total + block) from the first block on;
///   pairwise: rounded products, joined by rounded additions only (`fused` changes nothing).
/// A first product of -0 stays -0: nothing is ever added to an initial +0.
///
/// tensor-core:ARCH runs products with `accumulate` fp32 or fp16 on the matrix unit of tensor_core.hpp: blocks of its L terms in
/// ascending k, chained from +0 (from what out holds, when adding), with the unit's own roundings, zeros and NaNs; `fused` and `ftz` change
/// nothing (units keep subnormals). The unit is that for factors in `operands` if that format holds every operand of the call exactly, else
/// for the first of fp16, bf16 and tf32 that does. Where none does (say, an fp32 operand that was never rounded), or ARCH has no unit for
/// it, or an fp16 accumulator starts from something else than an fp16 number, no kernel could use the unit: such a product is the
/// sequential chain, fused. The architectures are those of tensor_core_architectures().
struct Contraction {
  Format accumulate = kFp32;
  bool fused = true;
  SumOrder order;
  bool ftz = false;
  Format operands = kFp32;  ///< tensor_core only: how the kernel stores its operands; fp16 or bf16, else no preference
};

/// out[i ldo + j] = sum_k a[i lda + k] b[k ldb + j] for i < m, j < n, k < depth (all row-major, leading dimensions in elements; out
/// overlaps neither operand). With `add` the result is added to what out holds: the sequential chain starts from it, the other orders end
/// with round(out + total). depth 0 gives +0, or leaves out alone.
///
/// Every operation is correctly rounded for any operands; operands that are values of a 16-bit `accumulate` are the fast case, and bf16
/// operands whose products leave the range 2^-100 .. 2^127 are not. NaN and infinity behave as in IEEE 754; every NaN result is the
/// positive quiet NaN. Same bits for every SIMD level. One thread. In a float `accumulate` is fp16, bf16 or fp32; in a double also fp64.
/// Throws Error for another format, for a tensor-core order that Contraction does not describe and for sizes below 0.
void matmul(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, std::int64_t lda, const float* b,
            std::int64_t ldb, float* out, std::int64_t ldo, bool add);
void matmul(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b,
            std::int64_t ldb, double* out, std::int64_t ldo, bool add);

/// As matmul with b transposed in memory: out[i ldo + j] = sum_k a[i lda + k] b[j ldb + k].
void matmul_transposed(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, std::int64_t lda,
                       const float* b, std::int64_t ldb, float* out, std::int64_t ldo, bool add);
void matmul_transposed(const Contraction& how, std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda,
                       const double* b, std::int64_t ldb, double* out, std::int64_t ldo, bool add);

/// sum_k x[k x_stride] y[k y_stride], k < n: bit for bit the one element of a 1 x 1 matmul. Throws as matmul.
float dot(const Contraction& how, std::int64_t n, const float* x, std::int64_t x_stride, const float* y, std::int64_t y_stride);
double dot(const Contraction& how, std::int64_t n, const double* x, std::int64_t x_stride, const double* y, std::int64_t y_stride);

/// sum_k x[k stride], k < n, in the same orders; a term is rounded to the format first, as if it were the product x_k * 1 (so `fused` adds
/// the unrounded term with one rounding). Throws as matmul, and for every tensor-core order: units multiply.
float sum(const Contraction& how, std::int64_t n, const float* x, std::int64_t stride);
double sum(const Contraction& how, std::int64_t n, const double* x, std::int64_t stride);

}  // namespace equinorm::scalar
