// Runs a form in an arithmetic and holds every element against its exact value and its bound.
#pragma once

#include <map>
#include <set>
#include <string>

#include "bounds/bounds.hpp"
#include "reference/dice.hpp"

namespace equinorm::bounds {

/// Of one tensor: elements judged, those beyond their bound, and the largest error / bound.
struct Judged {
  Index elements = 0, violations = 0, unbounded = 0;
  Index undecided = 0;  ///< closer to their bound than the exact value is known
  double worst = 0;     ///< max over elements of (error - radius) / bound
  double max_error = 0, max_bound = 0;
  std::string first;  ///< where the first violation is
};

/// The exact values come from rigorous balls on the same formulas (small problems), so `inputs` must be numbers of the plan's storage
/// format.
std::map<std::string, Judged> judge_with_balls(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                               PathKind form);
/// The same against any bounds, by tensor.
std::map<std::string, Judged> judge_against(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                            PathKind form, const Bounds& bounds);

/// The same for a kernel that implements the stages from `first` on (query, score, softmax, output) and is handed what lies before: those
/// stages run in binary64 and store in the formats of `given`. Only what the kernel computes is judged.
enum class First { query, score, softmax, output };
std::map<std::string, Judged> judge_given(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                          PathKind form, First first, const Given& given);

/// The outputs of earlier stages that stages from `first` on read.
std::set<std::string> handed_over(const problem::Problem& problem, PathKind form, First first);

/// From the oracle: full sizes.
std::map<std::string, Judged> judge_with_oracle(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                                PathKind form);

/// Largest difference / bound of difference of the two forms' logits; `simple` takes the sum of the forms' bounds as the latter.
struct Difference {
  double worst = 0, worst_simple = 0;
};
Difference judge_difference(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan);

/// logits and o against their probable bounds at `lambda`; exact values from the oracle.
std::map<std::string, Judged> judge_probable(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                             PathKind form, double lambda);

/// Any legal plan: formats, stored tensors, order, tiles, splits, flags.
paths::Plan any_plan(reference::Dice& dice, scalar::Format storage);

std::string describe(const paths::Plan& plan);

}  // namespace equinorm::bounds
