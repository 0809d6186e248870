// One form in one arithmetic, its outputs as doubles.
#pragma once

#include <map>
#include <set>
#include <string>

#include "bounds/setting.hpp"
#include "paths/path.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::commands {

using Doubles = std::map<std::string, tensor::Tensor<double>>;

/// The functions of our own arithmetics: correctly rounded up to fp32, within 2 ulp in fp64, base e.
inline constexpr bounds::FunctionErrors kOwnFunctions{.base_two = false};

/// Runs `form`, or the named faulty one, in the plan's formats and keeps the outputs in `names`; -inf where there is no number.
Doubles run_form(paths::PathKind form, const paths::Plan& plan, const problem::Problem& problem, const tensor::TensorMap& inputs,
                 const std::set<std::string>& names, const std::string& mutant = "");

/// Outputs of a path in an arithmetic over doubles.
Doubles to_doubles(const problem::Problem& problem, const paths::PathOutput<double>& out, const std::set<std::string>& names);

}  // namespace equinorm::commands
