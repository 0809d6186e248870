// `compare --rules`: what the public acceptance rules say of the same outputs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Throws Error for a name that is no rule and not "all".
void check_rule_names(const std::vector<std::string>& names);

/// What rules need of output o besides its values, as far as it was asked for: the output of a naive implementation, sum_t p_t |v_tj|,
/// both in the shape of o, and the largest |q_hat|, |k_hat| and |v|. Rows and heads do not meet in any of it.
struct RuleMaterial {
  tensor::Tensor<double> naive, magnitude;
  std::optional<double> max_query, max_key, max_value;
};

/// The material for o in `format`: one or two runs of the explicit form. Throws Error as check_rule_names.
RuleMaterial rule_material(const std::vector<std::string>& names, const problem::Problem& problem, const tensor::TensorMap& inputs,
                           scalar::Format format);

/// What each rule named says of `values` of an output in `format`. Throws Error as check_rule_names.
std::vector<verdict::RuleRow> rule_rows(const std::vector<std::string>& names, const problem::Problem& problem, const std::string& tensor,
                                        scalar::Format format, const tensor::Tensor<double>& values, const tensor::Tensor<double>& exact,
                                        const RuleMaterial& material);

/// Adds to result.rules one row for each rule named and each output of the right shape among result.errors, in that order, with
/// the material that they need. Throws Error as check_rule_names.
void add_rule_rows(const std::vector<std::string>& names, const problem::Problem& problem, const tensor::TensorMap& inputs,
                   const tensor::TensorMap& outputs, const verdict::Reference& reference, verdict::CaseResult& result);

}  // namespace equinorm::commands
