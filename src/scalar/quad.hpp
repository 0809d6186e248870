// Reference arithmetic wider than binary64: binary128 by software, and sums of pairs of binary64 at vector speed.
#pragma once

#include <boost/multiprecision/float128.hpp>
#include <cstdint>

namespace equinorm::scalar {

/// IEEE binary128 (113 bits) of libquadmath. g++ only. + - * / are correctly rounded; sqrt may be off by one ulp, other functions by a few.
using Quad = boost::multiprecision::float128;

/// hi + lo (m x n) = a(m x depth) b(depth x n), both pairs row-major; `hi` and `lo` share `ldo`. hi is the double nearest to hi + lo.
///
/// Sums p_k + e_k = a_k b_k (exact: p_k = fl(a_k b_k), e_k by fma) in the order of k: s_k + sigma_k = s_{k-1} + p_k exactly (TwoSum), and
/// c_k = fl(c_{k-1} + fl(sigma_k + e_k)); the pair is s + c exactly. Error: at most wide_error_bound(depth, sum_k |a_k b_k|).
/// Results mean nothing where a product or a sum overflows. Runs on the calling thread with the instructions of simd_level(); finite
/// results do not depend on it. `hi` and `lo` must not overlap each other or the operands. Throws Error for negative sizes and for leading
/// dimensions below the row length.
void matmul_wide(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b, std::int64_t ldb,
                 double* hi, double* lo, std::int64_t ldo);

/// As matmul_wide with b transposed in memory: b(k, j) = b[j ldb + k], ldb >= depth.
void matmul_wide_transposed(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a, std::int64_t lda, const double* b,
                            std::int64_t ldb, double* hi, double* lo, std::int64_t ldo);

/// Bound of |hi + lo - exact| in matmul_wide, rounded up: gamma_n^2 S + n 2^-1074, gamma_n = n u / (1 - n u), u = 2^-53, n = depth,
/// S >= sum_k |a_k b_k| (Ogita, Rump, Oishi 2005, Dot2 before its last rounding).
///
/// Why: |sigma_k| <= u |s_k| gives sum |sigma_k| <= gamma_{n-1} sum |p_k|, and |e_k| <= u |a_k b_k|; c adds n such terms with at most n
/// roundings each, so its error is at most gamma_n (gamma_{n-1} (1 + u) + u) S <= gamma_n^2 S. Additions are exact when they underflow;
/// products lose at most 2^-1075 each. Throws Error if depth is negative or above 2^40.
double wide_error_bound(std::int64_t depth, double sum_of_magnitudes);

}  // namespace equinorm::scalar
