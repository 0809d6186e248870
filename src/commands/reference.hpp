// The exact value of every output, enclosed.
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

/// Rigorous enclosures of the outputs in `names` that the problem has (empty: of every output): |exact - (value + low)| is at most the
/// oracle's radius (named in the description), |exact - value| at most `radius`, value being the nearest double but for ties. A tensor in
/// which some radius is above 2^-50 max(1, |x|) is enclosed again by ball arithmetic on the path formulas, about 12 ns per multiply-add and
/// core, precision raised until no radius is. Throws Error where an exact value does not exist (eps 0 with a zero row).
ReferenceResult certified_reference(const problem::Problem& problem, const tensor::TensorMap& inputs,
                                    const std::set<std::string>& names = {});

/// The outputs in `names` by ball arithmetic alone, of `bits` bits, whose radius no pair of doubles sees: for comparisons beyond the
/// oracle's 2^-80. About 12 ns per multiply-add.
verdict::Reference precise_reference(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& names,
                                     int bits);

}  // namespace equinorm::commands
