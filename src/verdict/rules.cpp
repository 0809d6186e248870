#include "verdict/rules.hpp"

#include <algorithm>

#include "problem/spelling.hpp"
#include "scalar/error.hpp"
#include "verdict/rules_elementwise.hpp"
#include "verdict/rules_normwise.hpp"

namespace equinorm::verdict {
namespace {

RuleResult inapplicable(const std::string& why) { return {RuleOutcome::not_applicable, 0, 0, why}; }

/// Rules whose tolerance is that of the attention output (FlashMLA has one for lse too); the others compare any two tensors.
bool serves(const Rule& rule, const std::string& tensor) {
  const bool of_output = rule.needs_naive || rule.needs_magnitude || rule.needs_extremes || rule.id == "flashmla";
  return !of_output || tensor == "o" || (rule.id == "flashmla" && tensor == "lse");
}

}  // namespace

std::string to_string(RuleOutcome outcome) {
  return outcome == RuleOutcome::accepts ? "accepts" : outcome == RuleOutcome::rejects ? "rejects" : "not applicable";
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> table{
      {"onednn", "oneDNN, tests/benchdnn/sdpa/sdpa.cpp, utils/compare.cpp",
       "every element: relative difference <= 8 (1 + keys) eps, or difference <= eps sum p|v|",
       "a NaN fails, except on both sides in fp16; infinities pass where equal", false, true, false, judge_onednn},
      {"hipdnn", "ROCm hipDNN, test_sdk/utilities/DynamicTolerancesSdpa.hpp",
       "every element: difference <= analytic bound from max|q|, max|k|, max|v|, keys and key_dim",
       "NaN or infinity on both sides passes, whichever they are; on one side it fails", false, false, true, judge_hipdnn},
      {"ggml", "ggml / llama.cpp, tests/test-backend-ops.cpp", "sum (out - ref)^2 / sum out^2 <= 5e-4",
       "NaN fails; infinities must agree, and then make the error NaN, which passes", false, false, false, judge_ggml},
      {"flashinfer-bench", "flashinfer-bench, flashinfer_bench/bench/utils.py, evaluators/default.py",
       "every element: difference <= 1e-2 or relative difference <= 1e-2",
       "NaN or infinity in the output fails, even where it is right; NaN in the reference passes anything finite", false, false, false,
       judge_flashinfer_bench},
      {"kernelbench", "KernelBench, src/eval.py", "every element: difference <= tol + tol |out|, tol 1e-2 (fp32: 1e-4)",
       "NaN fails; infinities pass where equal", false, false, false, judge_kernelbench},
      {"flash-attention", "FlashAttention 2, tests/test_flash_attn.py", "max |out - ref| <= 2 max |naive - ref|",
       "NaN fails, on either side and in the naive output; infinities fail", true, false, false, judge_flash_attention},
      {"flash-attention-3", "FlashAttention 3, hopper/test_flash_attn.py",
       "max |out - ref| <= 2 max |naive - ref| + 2 max |ref + 0.3 - 0.3 - ref| (3 for the first 2 under a soft-cap)",
       "NaN fails, on either side and in the naive output; infinities fail", true, false, false, judge_flash_attention_3},
      {"flashmla", "FlashMLA, tests/kernelkit/compare.py, tests/test_flash_mla_dense_decoding.py",
       "every element: difference < 8e-4 or relative < 2.01/128; and cosine difference <= 5e-6",
       "NaN, +inf and -inf must be at the same places, where they count as 0", false, false, false, judge_flashmla},
      {"cutlass", "CUTLASS profiler, tools/profiler/src/options.cu, include/cutlass/relatively_equal.h",
       "every element: difference < 0.05 (|out| + |ref|), or 0.05/256 where it is below 1/256 or one is 0",
       "NaN fails; infinities pass where equal", false, false, false, judge_cutlass}};
  return table;
}

const Rule& find_rule(std::string_view id) {
  const auto found = std::find_if(rules().begin(), rules().end(), [&](const Rule& rule) { return rule.id == id; });
  if (found != rules().end()) return *found;
  std::vector<std::string> ids;
  std::string allowed = "all";
  for (const Rule& rule : rules()) {
    ids.emplace_back(rule.id);
    allowed += ", " + ids.back();
  }
  throw Error("rule '" + std::string(id) + "' is not known; allowed: " + allowed + problem::did_you_mean(id, ids));
}

RuleResult apply_rule(const Rule& rule, const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  for (const Tensor<double>* other :
       {&reference, rule.needs_naive ? about.naive : nullptr, rule.needs_magnitude ? about.magnitude : nullptr}) {
    if (other != nullptr && other->shape() != output.shape()) {
      throw Error("rule " + std::string(rule.id) + ": shape " + tensor::to_string(output.shape()) + " against " +
                  tensor::to_string(other->shape()));
    }
  }
  if (!serves(rule, about.tensor))
    return inapplicable("made for the attention output o" + std::string(rule.id == "flashmla" ? " and lse" : ""));
  if (rule.needs_naive && about.format != scalar::kFp16 && about.format != scalar::kBf16)
    return inapplicable("made for fp16 and bf16 outputs");
  if (rule.needs_naive && about.naive == nullptr) return inapplicable("needs the output of a naive implementation");
  if (rule.needs_magnitude && about.magnitude == nullptr) return inapplicable("needs sum p|v|");
  if (rule.needs_extremes && !(about.max_query && about.max_key && about.max_value)) return inapplicable("needs max|q|, max|k|, max|v|");
  return rule.judge(output, reference, about);
}

}  // namespace equinorm::verdict
