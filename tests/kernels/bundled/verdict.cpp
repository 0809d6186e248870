#include "bundled/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "bounds/bounds.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::kernels::testing {
namespace {

using Double = paths::RoundedArithmetic<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Numbers of the problem's own storage format pass unchanged: everything is binary64.
paths::Plan binary64_plan(bool fold) {
  paths::Plan plan;
  plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = scalar::kFp64;
  plan.precision.stored.fill(scalar::kFp64);
  plan.fold_alpha_q = fold;
  return plan;
}

std::vector<paths::Plan> open_plans(const Problem& problem, PathKind form) {
  std::vector<paths::Plan> plans;
  for (const bool fold : {true, false}) {
    for (const paths::Combine combine : {paths::Combine::unnormalised, paths::Combine::lse}) {
      if (!fold && form == PathKind::explicit_form) continue;
      if (combine == paths::Combine::lse && problem.precision.splits <= 1) continue;
      paths::Plan plan;
      plan.precision = problem.precision;
      plan.fold_alpha_q = fold, plan.combine = combine;
      plans.push_back(plan);
    }
  }
  return plans;
}

/// Where the arithmetic-neutral output says that there is nothing: -inf in logits and lse.
void mark_missing(const Problem& problem, const paths::PathOutput<double>& out, std::map<std::string, tensor::Tensor<double>>& exact) {
  tensor::Tensor<double>& logits = exact.at("logits");
  for (Index i = 0; i < logits.size(); ++i) {
    const Index t = i % problem.max_context(), s = i / problem.max_context() % problem.queries;
    if (*out.live.row(i / (problem.max_context() * problem.queries * problem.heads), s, t) == 0) logits[i] = -kInfinity;
  }
  tensor::Tensor<double>& lse = exact.at("lse");
  for (Index i = 0; i < lse.size(); ++i) {
    if (out.lse_live[i] == 0) lse[i] = -kInfinity;
  }
}

bool past_context(const Problem& problem, const std::string& name, const tensor::Shape& shape, Index flat) {
  static const std::set<std::string> by_token{"alpha_k", "k_rope_cached", "k_hat", "k_deferred"};
  const tensor::Shape at = tensor::unravel(shape, flat);
  if (name == "logits" || name == "p") return at[3] >= problem.context_of(at[0]);
  return by_token.contains(name) && at[1] >= problem.context_of(at[0]);
}

bounds::Bounds widest_bounds(const Problem& problem, const tensor::TensorMap& inputs, PathKind form, const tensor::TensorMap& outputs) {
  std::set<std::string> names;
  for (const auto& [name, values] : outputs) names.insert(name);
  bounds::Bounds all;
  for (const paths::Plan& plan : open_plans(problem, form)) {
    for (auto& [name, bound] : bounds::error_bounds(problem, inputs, plan, form, names)) {
      const auto [entry, fresh] = all.try_emplace(name, bound);
      for (Index i = 0; !fresh && i < bound.size(); ++i) entry->second[i] = std::max(entry->second[i], bound[i]);
    }
  }
  return all;
}

}  // namespace

std::map<std::string, tensor::Tensor<double>> exact_outputs(const Problem& problem, const tensor::TensorMap& inputs, PathKind form) {
  std::map<std::string, tensor::Tensor<double>> exact;
  for (const bool fold : {true, false}) {
    const paths::Plan plan = binary64_plan(fold);
    const Double ar(plan);
    auto out = paths::run_path(ar, form, problem, plan, paths::load_inputs(ar, problem, inputs), *paths::make_formula<Double>(""));
    std::map<std::string, tensor::Tensor<double>> here = out.tensors;
    mark_missing(problem, out, here);
    exact.merge(here);
  }
  return exact;
}

std::map<std::string, Judged> judge(const Problem& problem, const tensor::TensorMap& inputs, PathKind form,
                                    const tensor::TensorMap& outputs) {
  auto exact = exact_outputs(problem, inputs, form);
  bounds::Bounds all = widest_bounds(problem, inputs, form, outputs);
  // The query of a deferred gqa norm is called q_hat too, but only the explicit form names it.
  if (outputs.contains("q_hat") && !exact.contains("q_hat")) {
    auto other = exact_outputs(problem, inputs, PathKind::explicit_form);
    bounds::Bounds other_bounds = widest_bounds(problem, inputs, PathKind::explicit_form, outputs);
    exact.merge(other), all.merge(other_bounds);
  }
  std::map<std::string, Judged> result;
  for (const auto& [name, values] : outputs) {
    Judged& judged = result[name];
    if (!exact.contains(name) || !all.contains(name))
      throw Error("no " + std::string(exact.contains(name) ? "bound of " : "value of ") + name);
    const tensor::Tensor<double>&truth = exact.at(name), &bound = all.at(name);
    for (Index i = 0; i < values.size(); ++i) {
      if (past_context(problem, name, values.shape(), i)) continue;
      ++judged.elements;
      const double got = values.at(i), error = std::fabs(got - truth[i]), reference_error = 1e-11 * std::fabs(truth[i]);
      if (!std::isfinite(bound[i])) {
        ++judged.unbounded;
        continue;
      }
      bool within = got == truth[i];
      if (std::isfinite(truth[i])) {
        within = error <= bound[i] + reference_error;
        if (bound[i] > 0 && std::isfinite(error)) judged.worst = std::max(judged.worst, error / bound[i]);
      }
      if (within) continue;
      if (judged.violations++ == 0) {
        judged.first = name + tensor::index_string(values.shape(), i) + ": got " + std::to_string(got) + ", exact " +
                       std::to_string(truth[i]) + ", bound " + std::to_string(bound[i]) + ", error " + std::to_string(error / bound[i]) +
                       " bounds";
      }
    }
  }
  return result;
}

}  // namespace equinorm::kernels::testing
