// A whole path: every stage of one form of the attention, in one arithmetic.
#pragma once

#include "paths/formula.hpp"
#include "paths/path_data.hpp"
#include "paths/plan.hpp"

namespace equinorm::paths {

using problem::PathKind;

/// Runs the explicit form (eqs. 3, 5, 9), or the absorbed one (eqs. 10-13; for gqa its deferred form), from the problem's start up to o and
/// y.
///
/// Throws Error when an input tensor is missing. Results do not depend on the number of threads: every element is computed by one of them,
/// in the plan's order. Error of the result: bounds/ (none in exact arithmetics).
template <Arithmetic A>
PathOutput<typename A::Value> run_path(const A& ar, PathKind form, const problem::Problem& problem, const Plan& plan,
                                       const PathInputs<typename A::Value>& inputs, const Formula<A>& formula, const Wanted& wanted = {});

/// One arithmetic for each stage, over the same numbers: to see what the rounding of a single stage does to the result.
template <class A>
struct StageArithmetics {
  explicit StageArithmetics(const A& ar) : project(ar), cache_write(ar), query(ar), score(ar), softmax(ar), value(ar), output(ar) {}
  A project, cache_write, query, score, softmax, value, output;
};

/// run_path of the right formula, each stage in its own arithmetic.
template <Arithmetic A>
PathOutput<typename A::Value> run_staged_path(const StageArithmetics<A>& arithmetics, PathKind form, const problem::Problem& problem,
                                              const Plan& plan, const PathInputs<typename A::Value>& inputs, const Wanted& wanted = {});

/// The outputs that `form` defines for this problem.
std::vector<problem::TensorSpec> outputs_of(PathKind form, const problem::Problem& problem, const Plan& plan);

}  // namespace equinorm::paths
