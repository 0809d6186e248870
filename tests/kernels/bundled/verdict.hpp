// Outputs of a kernel held against binary64 paths, each element under its rigorous bound.
#pragma once

#include <map>
#include <string>

#include "kernels/stages.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::kernels::testing {

struct Judged {
  Index elements = 0, violations = 0, unbounded = 0;
  double worst = 0;   ///< largest error / bound
  std::string first;  ///< where the first violation is
};

/// The exact values of everything that `form` defines, up to binary64's rounding, which is the allowance that a verdict makes for them.
/// Missing tokens and masked logits hold -inf (logits, lse) or 0.
std::map<std::string, tensor::Tensor<double>> exact_outputs(const Problem& problem, const tensor::TensorMap& inputs, PathKind form);

/// By output: error against exact_outputs under the largest bound of the plans that problem.precision leaves open. What is not finite
/// where it should be, and the reverse, is a violation.
std::map<std::string, Judged> judge(const Problem& problem, const tensor::TensorMap& inputs, PathKind form,
                                    const tensor::TensorMap& outputs);

}  // namespace equinorm::kernels::testing
