// How tensor cores add: D = round(c + sum_i a_i b_i) in blocks of `terms` products. In a block all products are exact; every addend, c
// included, is aligned to the largest exponent and cut toward zero after `fraction_bits` bits; the sum of these is exact; one rounding ends
// the block. A longer k is a chain of blocks, ascending.
//
// This is a model, not a specification: PTX leaves order and rounding open. Its parameters reproduce published GPU results bit for bit for
// fp16 and bf16 (V100, A100, Ada, H100, B200), and for tf32 up to four products; signed zeros, infinities and NaN follow published
// descriptions only. Sources: Fasi, Higham, Mikaitis, Pranesh (PeerJ CS 2021); Khattak, Mikaitis (arXiv 2512.07004); MMA-Sim (arXiv
// 2511.10909).
#pragma once

#include <cstdint>
#include <span>

namespace equinorm::vgpu {

enum class MatrixInput : std::uint8_t { fp16, bf16, tf32, e4m3, e5m2 };
enum class MatrixOutput : std::uint8_t {
  fp32_toward_zero,
  e8m13_toward_zero,  ///< binary32 whose last 10 bits are 0
  fp16_nearest
};

struct MatrixModel {
  int terms = 8;
  int fraction_bits = 24;
  MatrixOutput output = MatrixOutput::fp32_toward_zero;
  int zero_exponent = -132;  ///< exponent with which a zero addend takes part in the search for the largest
};

/// Model of mma.sync on sm_TARGET (70, 75, 80 to 89, 90, 100, 120); other targets use the nearest older one. fp8 inputs: Ada's native form,
/// and wgmma's on 90.
MatrixModel matrix_model(int target, MatrixInput input, bool fp16_output);

/// c + sum a_i b_i as the bits of the output's format; c has that format too. a and b hold bits of `input` (tf32: binary32 words, whose low
/// 13 bits are dropped). A block that is not full has zero addends instead.
std::uint32_t fused_dot(const MatrixModel& model, MatrixInput input, std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                        std::uint32_t c);

/// A finite number (-1)^negative significand 2^(exponent - fraction), as the tensor core sees it, or what it is instead.
struct MatrixNumber {
  enum class Class : std::uint8_t { finite, infinite, nan };
  Class kind = Class::finite;
  bool negative = false;
  std::uint32_t significand = 0;
  int exponent = 0;
};
/// Stored fraction bits of the format.
int fraction_of(MatrixInput input);
MatrixNumber decode(MatrixInput input, std::uint32_t bits);
/// The sum S 2^unit rounded to the output's format; `all_negative_zero` decides the sign of S = 0.
std::uint32_t round_output(MatrixOutput output, std::int64_t sum, int unit, bool all_negative_zero);

}  // namespace equinorm::vgpu
