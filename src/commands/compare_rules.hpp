// `compare --rules`: what the public acceptance rules say of the same outputs.
#pragma once

#include <string>
#include <vector>

#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Throws Error for a name that is no rule and not "all".
void check_rule_names(const std::vector<std::string>& names);

/// Adds to result.rules one row for each rule named and each output of the right shape among result.errors, in that order. What a rule
/// needs besides (probabilities, values, the output of a naive implementation) is computed from the inputs, only where asked for: one
/// or two runs of the explicit form. Throws Error as check_rule_names.
void add_rule_rows(const std::vector<std::string>& names, const problem::Problem& problem, const tensor::TensorMap& inputs,
                   const tensor::TensorMap& outputs, const verdict::Reference& reference, verdict::CaseResult& result);

}  // namespace equinorm::commands
