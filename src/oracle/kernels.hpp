// The oracle's vector loops, one set per instruction set; every set gives the same bits.
#pragma once

#include <cstdint>

#include "oracle/double_double.hpp"

namespace equinorm::oracle {

using Index = std::int64_t;

/// Tokens in a block: a multiple of every kernel's width. Matrices of a block are [dim][kBlock], the token last.
inline constexpr Index kBlock = 96;
/// Tokens that share a flag: a multiple of every vector's length.
inline constexpr Index kGroup = 8;

/// kBlock enclosed numbers, one per token.
struct alignas(64) BoundedBlock {
  double hi[kBlock], lo[kBlock], radius[kBlock];
};

/// What turns the dots of one query head into logits; see Kernels::logits.
struct LogitCoefficients {
  Enclosed content, rope;  ///< scale alpha_q and scale beta_q
  bool joint;              ///< one statistic for both parts: logit = content alpha (dot_c + dot_r)
};

struct Kernels {
  Index rows, width;  ///< of a tile of the exact product; width divides kBlock
  /// out[i * kBlock + j] = sum_k a[k * rows + i] b[k * width + j] for the whole tile, by fma in the order of k.
  void (*tile)(Index depth, const double* a, const double* b, double* out);
  /// max |x|; count a multiple of 8. A NaN may be passed over.
  double (*largest)(Index count, const double* x);
  /// total[t] = sum_m |x[m][t]|, in the order of m.
  void (*magnitudes)(Index dim, const double* x, double* total);
  /// Moves what rounds to a multiple of unit[t] (a power of two) from rest[m][t] to slice[m][t], exactly where |rest| < 2^51 unit; total[t]
  /// = sum_m |slice|; dirty[m] = 1 where some rest of row m is left, else 0.
  void (*cut)(Index dim, const double* unit, double* rest, double* slice, double* total, unsigned char* dirty);
  /// (hi, lo) += more, element by element of [dim][kBlock]; what is lost of token t is added to lost[t].
  void (*absorb)(Index dim, const double* more, double* hi, double* lo, double* lost);
  /// sum = sum_j (hi, lo)[j] for all tokens, in the order of j.
  void (*sum_rows)(Index dim, const double* hi, const double* lo, BoundedBlock& sum);
  /// out = sum_j z[j] a[j] for all tokens of a block (pair_dot below); z is [dim][kBlock] in pairs, zl being 0 where low[t / kGroup] is
  /// false, which changes no bit; al may be null.
  void (*dots)(Index dim, const double* zh, const double* zl, const bool* low, const double* ah, const double* al, double* hi, double* lo);
  /// As dots, of z with itself.
  void (*squares)(Index dim, const double* zh, const double* zl, const bool* low, double* hi, double* lo);
  /// out[j] = sum_t e[t] c[t * stride + j] for j < count, a multiple of 8; cl may be null, el may be null.
  void (*combine)(Index terms, const double* eh, const double* el, const double* ch, const double* cl, Index stride, Index count,
                  double* hi, double* lo);
  /// out[j] = sum_t e[t] c[t * stride + j] for j < count, a multiple of 8, with project_error.
  void (*project)(Index terms, const double* eh, const double* el, const double* c, Index stride, Index count, double* hi, double* lo);
  /// (hi, lo) += (add_hi, add_lo) as pairs: error at most 2^-103 of the result each.
  void (*accumulate)(Index count, const double* add_hi, const double* add_lo, double* hi, double* lo);
  /// alpha = (sum factor + eps)^(-1/2).
  void (*statistic)(const BoundedBlock& sum, const Enclosed& factor, const Enclosed& eps, BoundedBlock& alpha);
  /// (x w1, y w2) turned by (cosine, sine), or without cosine only weighted. In place; the radius of each input number is `radius[t]`; the
  /// radii of the outputs are added, squared, to squared[t].
  void (*turn)(const Enclosed& w1, const Enclosed& w2, const double* cosine, const double* sine, const double* radius, double* xh,
               double* xl, double* yh, double* yl, double* squared);
  /// logit = content alpha dot_c + rope beta dot_r, before any cap.
  void (*logits)(const LogitCoefficients& k, const BoundedBlock& content, const BoundedBlock& rope, const BoundedBlock& alpha,
                 const BoundedBlock& beta, BoundedBlock& logit);
  /// exp(logit) = 2^exponent mantissa.
  void (*exponentials)(const BoundedBlock& logit, BoundedBlock& mantissa, double* exponent);
};

/// Pair dot (dots, squares, combine): for every term p = fl(ah bh), e by fma, s and sigma by TwoSum, c += fl((sigma + e) + fma(ah, bl, al
/// bh)); the result is s + c, normalised exactly. For |al| <= u |ah|, |bl| <= u |bh|, n <= 2^24 terms and M >= sum |ah bh|:
///
///   |result - sum (ah + al)(bh + bl)| <= (n + 4)^2 u^2 M + 2^-1040.
///
/// Why: sum |sigma_k| <= u sum |s_k| <= n u (1 + 2^-28) M, sum |e_k| <= u M, the cross terms together 2u (1 + u) M: at most (n + 3) u (1 +
/// 2^-27) M enter c, each through at most n + 3 roundings, which lose gamma_(n+3) of it; the products al bl that are left out are u^2 M.
/// The sum,
/// ((n+3)^2 (1 + 2^-26) + 1 + ...) u^2 M, is below (n + 4)^2 u^2 M. Underflow loses less than 4 n 2^-1074 <= 2^-1048.
inline double pair_dot_error(Index n, double magnitude) {
  const double terms = static_cast<double>(n + 4);
  return (terms * terms * 0x1p-106 * magnitude + 0x1p-1040) * kRoundUp;
}

/// Error of Kernels::project of n <= 2^16 terms, M >= sum |eh c|, |el| <= u |eh|. As pair_dot_error says, sigma_k, e_k and fl(el c) sum up
/// to at most (n + 3) u M in absolute value; here they are added by TwoSum, whose errors, at most 3n u (n + 3) u M together, are added up
/// in d with at most 3n + 2 roundings each. What is lost: the rounding of el c, u^2 M; those roundings, below 10 n^2 (n + 4) u^3 M; and at
/// the end fl(c + d) and its operands' parts beyond u M, below 3u^2 M.
inline double project_error(Index n, double magnitude) {
  const double terms = static_cast<double>(n);
  return ((5 + 10 * terms * terms * (terms + 4) * 0x1p-53) * 0x1p-106 * magnitude + 0x1p-1040) * kRoundUp;
}

extern const Kernels kPortable, kAvx2, kAvx512;

/// Those of simd_level().
const Kernels& kernels();

}  // namespace equinorm::oracle
