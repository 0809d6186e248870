// Rules that compare a norm of the whole tensor.
#pragma once

#include "verdict/rules.hpp"

namespace equinorm::verdict {

/// ggml test-backend-ops (tests/test-backend-ops.cpp: nmse, eval; test_flash_attn_ext::max_nmse_err): sum (a - b)^2 / sum a^2 <= 5e-4, a
/// the *tested* output, b the reference in fp32; terms in fp32, sums in double.
RuleResult judge_ggml(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// FlashAttention 2 (tests/test_flash_attn.py): max |out - ref| <= 2 max |naive - ref|, all three in the output's format; naive is the same
/// formula in that format (attention_ref with upcast=False, reorder_ops=True).
RuleResult judge_flash_attention(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// FlashAttention 3 (hopper/test_flash_attn.py): the same with 3 for 2 under a soft-cap, plus 2 max |((ref + 0.3) - 0.3) - ref|.
RuleResult judge_flash_attention_3(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// FlashMLA, dense decode (tests/kernelkit/compare.py: check_is_allclose; tests/test_flash_mla_dense_decoding.py): every element |e| < 8e-4
/// or |e| / (|ref| + 1e-6) < 2.01/128, and |1 - 2 sum x y / (sum x^2 + sum y^2)| <= 5e-6 (taken as 0 where sum ref^2 < 1e-12). For lse:
/// 1e-6, 8.01/65536 and 1e-7. Elements in fp32, sums in double; ref rounded to the output's format.
RuleResult judge_flashmla(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

}  // namespace equinorm::verdict
