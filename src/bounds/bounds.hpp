// How far a correct implementation in a declared arithmetic may be from the exact value, element by element.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "bounds/given.hpp"
#include "tensor/any_tensor.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::bounds {

/// Rigorous bounds |kernel - exact| <= bound by output name, shapes of problem::output_tensors. 0 where every arithmetic gives -inf (masked
/// logits) or 0 (rows with nothing to attend to). Infinite where nothing can be said: an intermediate may overflow, or the arithmetic may
/// lose every digit of a statistic.
using Bounds = std::map<std::string, tensor::Tensor<double>>;

/// Asked for beside outputs, in the shape of logits: the part of the bound of a logit that the other form does not share if it computes the
/// same statistics and, apart from the content, the same RoPE scores, as run_path does (unified: the same statistics alone). Two forms
/// differ by no more than the sum of theirs: their common statistics cancel. Proof: factor_product, radius_dot_exact.
inline constexpr const char* kUnsharedLogits = "logits.unshared";

/// Whether there are bounds for the plan: fp16, bf16, fp32 and fp64, in every order. That of a matrix unit rests on its model
/// (scalar/tensor_core.hpp), an assumption about the hardware.
bool has_bounds(const paths::Plan& plan);

/// Running bounds (kind C) of the outputs in `wanted` that `form` defines, for the plan's formats, stored tensors, order, tiles, splits and
/// flushing. Inputs must be numbers of the storage format (round_inputs); they are exact. Nothing here depends on what a kernel computed:
/// magnitudes are those of what binary64 makes of the exact quantities, plus radii; what binary64
/// loses is in every radius, and how far its last number is from the exact one comes on top. Proof: explicit_kernel_error,
/// absorbed_kernel_error, absorbed_stages, projected_output_error, kernel_output_error, gate_error, radius_dot_exact, slack_covers,
/// decidable_below, model_output, model_empty_row, positive_evaluation, underflow_taken, bound_evaluated, bound_evaluated_sizes,
/// told_from_centre, sigmoid_own. Throws Error for an input that is missing and where has_bounds says no.
///
/// `given`: tensors that the kernel under judgement is handed, since it implements later stages only (see Given, which says what is handed
/// over). The bounds of what it computes from them are then those of its own stages alone; the exact value stays that of the whole path. A
/// bound of a tensor before those stages speaks of a kernel that would have computed it. With q_hat given, alpha_q is inside it, with
/// q_tilde it is outside, whatever the plan says.
Bounds error_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                    const std::set<std::string>& wanted, const FunctionErrors& functions = {}, const Given& given = {});

/// The largest of error_bounds over `plans`, element by element: of a kernel whose declaration leaves several of them open. They have one
/// precision; what they share is made once.
Bounds widest_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::vector<paths::Plan>& plans, PathKind form,
                     const std::set<std::string>& wanted, const FunctionErrors& functions = {}, const Given& given = {});

/// Instrumented bounds (kind D): those of error_bounds, but sums that make k0, v, q_tilde, the logits and y are followed step by step
/// (followed_errors) where the plan's order is a sequence or blocks of one. They rest on the partial sums of exact data instead of a run's
/// own, so that they hold for every run of the plan, and cost one pass over every product. Proof: dot_running_error, half_ulp_of_upper.
Bounds instrumented_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                           const std::set<std::string>& wanted, const FunctionErrors& functions = {});

struct ProbableBounds {
  Bounds rigorous;
  Bounds probable;  ///< of logits and o; empty where the model does not hold
  double lambda;
  /// Probability that an element exceeds its probable bound: 2 exp(-lambda^2 / 2). Not machine-checked.
  double miss() const;
};

/// error_bounds, and beside them probable bounds (kind E, see probable.hpp: they rest on a model of rounding errors, and structured data
/// may exceed them). The model holds for sums in fp32 or wider, rounded to nearest, of problems that start at the latent.
/// Not machine-checked.
ProbableBounds probable_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                               const std::set<std::string>& wanted, double lambda = 6, const FunctionErrors& functions = {});

}  // namespace equinorm::bounds
