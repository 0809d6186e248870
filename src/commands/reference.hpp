// The exact value of every output, as close as the problem's size allows.
#pragma once

#include <set>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"

namespace equinorm::commands {

/// A reference and what it is worth.
struct ReferenceResult {
  verdict::Reference tensors;
  std::string description;
};

/// Multiply-adds of the large products of both forms.
double work_of(const problem::Problem& problem);

/// Rigorous enclosures of every output of the problem by ball arithmetic on the path formulas, precision raised until every radius is at
/// most 2^-50 max(1, |x|). About 12 ns per multiply-add and core. Throws Error where an exact value does not exist (eps 0 with a zero row).
ReferenceResult certified_reference(const problem::Problem& problem, const tensor::TensorMap& inputs);

/// What `verify` and `compare` measure against, for the tensors in `names`: certified where that takes about a second, else the explicit
/// form in binary128 with matrix products in pairs of binary64 (relative errors near 2^-95, not certified).
ReferenceResult measuring_reference(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& names);

}  // namespace equinorm::commands
