// What the tests of the paths share: random legal plans and bitwise comparison.
#pragma once

#include <bit>
#include <cmath>
#include <string>

#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "reference/dice.hpp"

namespace equinorm::paths {

/// Formats up to fp32, order, tile, splits, both ways to combine, fused or not, alpha_q folded or not: anything that is legal.
inline Plan random_plan(const problem::Problem& problem, reference::Dice& dice) {
  const auto format = [&dice] { return dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp32}); };
  using Kind = scalar::SumOrder::Kind;
  Plan plan;
  plan.precision = problem.precision;
  plan.precision.storage = format();
  plan.precision.accumulate = format();
  plan.precision.statistics = format();
  for (problem::Format& stored : plan.precision.stored) stored = format();
  plan.precision.ftz = dice.one_in(4);
  plan.precision.order = {dice.one_of({Kind::any, Kind::sequential, Kind::pairwise, Kind::blocked}), dice.between(1, 4), {}};
  plan.precision.splits = dice.between(1, 4);
  plan.precision.tile = dice.between(0, 5);
  plan.fused = dice.one_in(2);
  plan.fold_alpha_q = dice.one_in(2);
  plan.denominator_rounded = dice.one_in(2);
  plan.combine = dice.one_in(2) ? Combine::lse : Combine::unnormalised;
  return plan;
}

inline std::string describe(const Plan& plan) {
  const problem::Precision& p = plan.precision;
  return "storage " + scalar::to_string(p.storage) + " accumulate " + scalar::to_string(p.accumulate) + " statistics " +
         scalar::to_string(p.statistics) + " order " + scalar::to_string(p.order) + " splits " + std::to_string(p.splits) + " tile " +
         std::to_string(p.tile) + (p.ftz ? " ftz" : "") + (plan.fused ? " fused" : "") + (plan.fold_alpha_q ? " folded" : "") +
         (plan.combine == Combine::lse ? " lse" : "");
}

/// The same plan in one format throughout.
inline Plan plan_in(scalar::Format format, const problem::Problem& problem) {
  Plan plan;
  plan.precision = problem.precision;
  plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = format;
  plan.precision.stored.fill(format);
  return plan;
}

/// Same number and sign of zero, or both NaN.
inline bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Position of the first element of two equally shaped tensors that is not bitwise the same; -1: none.
template <class V, class W>
Index first_change(const Tensor<V>& a, const Tensor<W>& b) {
  if (a.shape() != b.shape()) return 0;
  for (Index i = 0; i < a.size(); ++i) {
    if (!same_bits(static_cast<double>(a[i]), static_cast<double>(b[i]))) return i;
  }
  return -1;
}

/// Name of the first tensor of `a` that differs in `b`, with its index; empty: the outputs are bitwise the same.
template <class V, class W>
std::string first_change(const PathOutput<V>& a, const PathOutput<W>& b) {
  if (a.tensors.size() != b.tensors.size()) return "number of tensors";
  for (const auto& [name, tensor] : a.tensors) {
    if (!b.has(name)) return name + " missing";
    if (const Index at = first_change(tensor, b.at(name)); at >= 0) return name + tensor::index_string(tensor.shape(), at);
  }
  if (first_change(a.live, b.live) >= 0) return "live";
  return first_change(a.lse_live, b.lse_live) >= 0 ? "lse_live" : "";
}

template <class A>
PathOutput<typename A::Value> run(const A& ar, PathKind form, const problem::Problem& problem, const Plan& plan,
                                  const PathInputs<typename A::Value>& inputs) {
  return run_path(ar, form, problem, plan, inputs, *make_formula<A>(""));
}

inline constexpr PathKind kForms[] = {PathKind::explicit_form, PathKind::absorbed_form};

}  // namespace equinorm::paths
