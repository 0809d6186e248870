// The arithmetics that `verify` measures, by name.
#pragma once

#include <string>
#include <vector>

#include "paths/plan.hpp"
#include "problem/problem.hpp"

namespace equinorm::commands {

/// "bf16": storage, products, sums and functions all in bf16, each product rounded. "bf16/fp32": inputs and o in bf16, everything else in
/// fp32 with fused products. "declared": the problem's own `precision`. "real:BITS" is "real:BITS" throughout.
struct NamedArithmetic {
  std::string name;
  paths::Plan plan;
};

/// What else --formats takes.
std::vector<std::pair<std::string, std::string>> further_arithmetics();

/// Names and one-line descriptions of the default ones.
std::vector<std::pair<std::string, std::string>> arithmetic_names();

/// The arithmetic of that name; reduction order, tile, splits and ftz are the problem's. Throws Error naming what is allowed.
NamedArithmetic find_arithmetic(const std::string& name, const problem::Problem& problem);

/// The format whose units a tensor's error is counted in.
scalar::Format format_of_output(const paths::Plan& plan, const std::string& tensor);

}  // namespace equinorm::commands
