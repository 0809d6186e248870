// Rules that look at one element at a time.
#pragma once

#include "verdict/rules.hpp"

namespace equinorm::verdict {

/// oneDNN benchdnn, sdpa forward (tests/benchdnn/sdpa/sdpa.cpp: setup_cmp; utils/compare.cpp: compare_p2p). An element e = round(exact),
/// got g passes if g is the exact fp32 value; or |e| <= 1e-5 and |e - g| < 2^-23; or the relative difference |e - g| / |e| (absolute where
/// |e| <= 1e-5) is at most 8 (1 + keys) eps, eps the output format's epsilon; or |e - g| <= eps sum_t p_t |v_t|. All in fp32.
RuleResult judge_onednn(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// ROCm hipDNN, analytic SDPA tolerance (projects/hipdnn/test_sdk/include/hipdnn_test_sdk/utilities/DynamicTolerancesSdpa.hpp;
/// CpuFpReferenceValidation.hpp): |round(exact) - g| <= hipdnn_tolerance(), the difference rounded to the output's format.
RuleResult judge_hipdnn(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// flashinfer-bench (flashinfer_bench/bench/utils.py: compute_error_stats; evaluators/default.py: check_correctness): no element with both
/// |x - y| > 1e-2 and |x - y| / (|y| + 1e-8) > 1e-2, in fp32, y = round(exact).
RuleResult judge_flashinfer_bench(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// KernelBench (src/eval.py: run_and_check_correctness): torch.allclose(reference, output) with atol = rtol = 1e-2 for fp16 and bf16, 1e-4
/// for fp32: |y - x| <= atol + rtol |x|, x the *output*, every operation rounded to the output's format. The harness runs the reference
/// model in that format too; here y = round(exact).
RuleResult judge_kernelbench(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// CUTLASS profiler (tools/profiler/src/options.cu: epsilon 0.05, nonzero floor 1/256; include/cutlass/relatively_equal.h): x = y; or,
/// where one is 0 or |x - y| < floor, |x - y| < epsilon floor; else |x - y| < epsilon (|x| + |y|). Every operation in the output's format.
RuleResult judge_cutlass(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// 2^(1 - precision): the distance from 1 to the next number.
double epsilon_of(scalar::Format format);

}  // namespace equinorm::verdict
