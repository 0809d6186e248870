// The arithmetic of NVIDIA's matrix units: truncated fused dot products of L terms, chained.
//
// One block is d = rho(S), S the sum of c and of L products with every addend, exact at first, cut towards zero to a multiple of 2^(E-F):
//   E    the largest exponent among the addends. A product's is e(a) + e(b), its significand in [1,4) is not normalised; e of a subnormal
//        number is its format's smallest exponent; an addend that is zero has exponent `zero_exponent`.
//   rho  the only rounding (see TensorRounding). Subnormal numbers count in full, on both sides.
// A product longer than L is a chain of blocks in ascending k, each starting from the result of the one before.
//
// This is a model, an assumption about the hardware: the vendor specifies neither the order nor the rounding. The parameters are those of
// Khattak and Mikaitis, "Accurate models of NVIDIA tensor cores" (arXiv 2512.07004) and of MMA-Sim, "Bit-accurate modeling of GPU matrix
// multiply-accumulate units" (2026), which agree with published outputs of V100, A100, A2, RTX 1000 Ada, L40S, H100, H200 and B200. Rows of
// the table without such outputs (sm_75, sm_120, wgmma of 16-bit types, tcgen05), exponents of zeros, NaN patterns and signs of zeros rest
// on the papers alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "scalar/format.hpp"

namespace equinorm::scalar {

/// Formats of the factors. tf32 is the upper 19 bits of an fp32 number; e4m3 has no infinity.
enum class TensorInput : std::uint8_t { fp16, bf16, tf32, e4m3, e5m2 };

/// `mma` is mma.sync (and Volta's HMMA).
enum class TensorInstruction : std::uint8_t { mma, wgmma, tcgen05 };

/// rho, and with it the format of c and d. `fp32`: towards zero to 24 bits. `e8m13`: towards zero to 14 bits, held in an fp32 number.
/// `fp16`: to nearest-even, straight from S. Exponents beyond the format give infinity in all three.
enum class TensorRounding : std::uint8_t { fp32, e8m13, fp16 };

/// One unit: L is `block`, F is `fraction`.
struct TensorCore {
  std::string_view architecture;
  TensorInstruction instruction;
  TensorInput input;
  TensorRounding rounding;
  int block, fraction, zero_exponent;
  /// 8-bit mma.sync on sm_90 and sm_100 is no unit of its own: the factors with k mod 4 in {0, 1} go, as fp16, through a 16-term block
  /// from +0, those with k mod 4 in {2, 3} through another from its result, and c is added last, to nearest. `fraction`, `zero_exponent`
  /// and `rounding` are those of the two inner blocks.
  bool halves = false;

  friend bool operator==(const TensorCore&, const TensorCore&) = default;
};

/// Every unit of the table.
std::span<const TensorCore> tensor_cores();

/// The architectures that tensor_core() knows, comma-separated.
std::string tensor_core_architectures();

/// The unit of `architecture`: "sm_90" is its mma.sync, "sm_90:wgmma" and "sm_100:tcgen05" name another instruction. `accumulate` is fp32
/// (e8m13 where the unit keeps no more) or fp16. find_tensor_core gives null where the architecture has no such unit; both throw Error for
/// an architecture that is not in the table, tensor_core also for a missing unit.
const TensorCore* find_tensor_core(std::string_view architecture, TensorInput input, Format accumulate);
const TensorCore& tensor_core(std::string_view architecture, TensorInput input, Format accumulate);

/// One block: d from c and a.size() == b.size() <= L factors; missing ones are zeros. A NaN anywhere, 0 times infinity and infinities of
/// both signs give the NaN 0x7fffffff (0x7fff in fp16). S = 0 gives +0, or -0 if every addend is -0. Values of fp16 are held in a float.
/// Factors in tf32 lose their lowest 13 bits. Throws Error for other factors or a c that are no values of their formats, and for sizes.
float tensor_core_block(const TensorCore& unit, float c, std::span<const float> a, std::span<const float> b);

/// The chain of blocks over n factors a[k a_stride], b[k b_stride]; the last block may be short. n = 0 gives c. Throws as above.
float tensor_core_dot(const TensorCore& unit, float c, std::int64_t n, const float* a, std::int64_t a_stride, const float* b,
                      std::int64_t b_stride);

/// C = C + A B, each element by tensor_core_dot: A is m x depth, B depth x n, C m x n, all row-major and contiguous. Throws as above, but
/// not for finite factors that are no values of their format: the caller vouches for them.
void tensor_core_multiply(const TensorCore& unit, std::int64_t m, std::int64_t n, std::int64_t depth, const float* a, const float* b,
                          float* c);

/// D and U of the error of tensor_core_dot against the exact sum, for finite operands and as long as no d overflows:
///
///     |d - (c + sum_k a_k b_k)| <= D (|c| + sum_k |a_k b_k|) + U
///
/// `largest_factor` is the largest |a_k| or |b_k| if a factor that is not 0 is subnormal in unit.input, and 0 if none is: a subnormal's
/// exponent is larger than its value, so the addends beside it are cut more coarsely. Derivation: tensor_core_error.cpp. Rounded upwards.
/// Proof: cut_block_error, inexact_at_most, attaining_exact, truncating_block, truncating_chain, nearest_block, few_roundings,
/// unit_exponent, unit_count, unit_truncated, unit_rounded, unit_halves.
double tensor_core_error_factor(const TensorCore& unit, std::int64_t n);
double tensor_core_underflow(const TensorCore& unit, std::int64_t n, double largest_factor);

}  // namespace equinorm::scalar
