#include "bounds/judge.hpp"

#include <cmath>
#include <set>

#include "oracle/oracle.hpp"
#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::bounds {
using tensor::Tensor;

namespace {

struct Exact {
  Tensor<double> value, radius;
};

std::set<std::string> names_of(const problem::Problem& problem, const paths::Plan& plan, PathKind form) {
  std::set<std::string> names;
  for (const problem::TensorSpec& spec : paths::outputs_of(form, problem, plan)) names.insert(spec.name);
  return names;
}

bool undefined(const problem::Problem& problem, const std::string& name, Index flat, const Tensor<std::uint8_t>& live,
               const Tensor<std::uint8_t>& lse_live) {
  if (name == "lse") return lse_live[flat] == 0;
  if (name != "logits" && name != "p") return false;
  const Index t = flat % problem.max_context(), s = flat / problem.max_context() % problem.queries;
  return *live.row(flat / (problem.max_context() * problem.queries * problem.heads), s, t) == 0;
}

template <class V>
std::map<std::string, Judged> compare(const problem::Problem& problem, const paths::PathOutput<V>& got,
                                      const std::map<std::string, Exact>& exact, const Bounds& bounds) {
  std::map<std::string, Judged> result;
  for (const auto& [name, truth] : exact) {
    if (!got.has(name) || !bounds.contains(name)) continue;
    const Tensor<double>& bound = bounds.at(name);
    const Tensor<V>& values = got.at(name);
    Judged& judged = result[name];
    for (Index i = 0; i < values.size(); ++i) {
      if (undefined(problem, name, i, got.live, got.lse_live)) continue;
      ++judged.elements;
      if (!(bound[i] < kInfinity)) {
        ++judged.unbounded;
        continue;
      }
      const double error = std::fabs(static_cast<double>(values[i]) - truth.value[i]);
      const double surely = error - truth.radius[i];
      judged.max_error = std::fmax(judged.max_error, error), judged.max_bound = std::fmax(judged.max_bound, bound[i]);
      if (bound[i] > 0) judged.worst = std::fmax(judged.worst, surely / bound[i]);
      if (surely <= bound[i]) continue;
      if (judged.violations++ == 0) {
        judged.first = name + tensor::index_string(values.shape(), i) + ": got " + std::to_string(static_cast<double>(values[i])) +
                       ", exact " + std::to_string(truth.value[i]) + ", error " + std::to_string(error / bound[i]) + " bounds";
      }
    }
  }
  return result;
}

std::map<std::string, Judged> judge(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                    PathKind form, const std::map<std::string, Exact>& exact) {
  FunctionErrors functions;
  functions.base_two = false;
  const Bounds bounds = error_bounds(problem, inputs, plan, form, names_of(problem, plan, form), functions);
  const auto run = [&](const auto& ar) {
    using A = std::decay_t<decltype(ar)>;
    const auto values = paths::load_inputs(ar, problem, inputs);
    return compare(problem, paths::run_path(ar, form, problem, plan, values, *paths::make_formula<A>("")), exact, bounds);
  };
  const problem::Precision& p = plan.precision;
  const bool narrow = p.storage.precision <= 24 && p.accumulate.precision <= 24 && p.statistics.precision <= 24;
  return narrow ? run(paths::RoundedArithmetic<float>(plan)) : run(paths::RoundedArithmetic<double>(plan));
}

}  // namespace

std::map<std::string, Judged> judge_with_balls(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                               PathKind form) {
  const paths::BallArithmetic ar(200);
  paths::Plan exact_plan;
  exact_plan.fold_alpha_q = plan.fold_alpha_q;
  const auto out = paths::run_path(ar, form, problem, exact_plan, paths::load_inputs(ar, problem, inputs),
                                   *paths::make_formula<paths::BallArithmetic>(""));
  std::map<std::string, Exact> exact;
  for (const auto& [name, balls] : out.tensors) {
    Exact& truth = exact[name];
    truth.value = truth.radius = Tensor<double>(balls.shape());
    for (Index i = 0; i < balls.size(); ++i) {
      const scalar::Enclosure enclosure = scalar::enclosure(balls[i]);
      truth.value[i] = enclosure.value, truth.radius[i] = enclosure.radius;
    }
  }
  return judge(problem, inputs, plan, form, exact);
}

std::map<std::string, Judged> judge_with_oracle(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                                PathKind form) {
  std::map<std::string, Exact> exact;
  for (auto& [name, enclosed] : oracle::enclose(problem, inputs, names_of(problem, plan, form))) exact[name] = {enclosed.value, enclosed.radius};
  return judge(problem, inputs, plan, form, exact);
}

paths::Plan any_plan(reference::Dice& dice, scalar::Format storage) {
  const auto stored = [&dice] { return dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp32}); };
  const auto compute = [&dice] {
    return dice.one_of({scalar::kFp32, scalar::kFp32, scalar::kFp32, scalar::kFp16, scalar::kBf16, scalar::kFp64});
  };
  using Kind = scalar::SumOrder::Kind;
  paths::Plan plan;
  plan.precision.storage = storage;
  plan.precision.accumulate = compute();
  plan.precision.statistics = dice.one_in(3) ? compute() : plan.precision.accumulate;
  for (scalar::Format& format : plan.precision.stored) format = stored();
  plan.precision.ftz = dice.one_in(5);
  plan.precision.order = {dice.one_of({Kind::any, Kind::sequential, Kind::pairwise, Kind::blocked}), dice.between(1, 16), {}};
  if (dice.one_in(5)) {  // a matrix unit: fp32 or fp16 accumulators only
    plan.precision.order = {Kind::tensor_core, 0, dice.one_of({"sm_70", "sm_80", "sm_90", "sm_100"})};
    plan.precision.accumulate = dice.one_in(4) && storage == scalar::kFp16 ? scalar::kFp16 : scalar::kFp32;
    plan.precision.statistics = scalar::kFp32;
    plan.precision.of(problem::Stored::p) = plan.precision.of(problem::Stored::q_tilde) = storage;
  }
  plan.precision.splits = dice.one_in(2) ? dice.between(2, 4) : 1;
  plan.precision.tile = dice.one_in(2) ? dice.one_of({1, 3, 8, 16, 64}) : 0;
  plan.fused = dice.one_in(2);
  plan.fold_alpha_q = dice.one_in(2);
  plan.denominator_rounded = dice.one_in(2);
  plan.combine = dice.one_in(2) ? paths::Combine::lse : paths::Combine::unnormalised;
  return plan;
}

std::string describe(const paths::Plan& plan) {
  const problem::Precision& p = plan.precision;
  std::string line = scalar::to_string(p.storage) + "/" + scalar::to_string(p.accumulate) + "/" + scalar::to_string(p.statistics) +
                     ", order " + scalar::to_string(p.order) + ", splits " + std::to_string(p.splits) + ", tile " + std::to_string(p.tile);
  for (std::size_t i = 0; i < p.stored.size(); ++i) {
    if (!(p.stored[i] == scalar::kFp32)) line += ", " + std::string(problem::kStoredNames[i]) + " " + scalar::to_string(p.stored[i]);
  }
  return line + (p.ftz ? ", ftz" : "") + (plan.fused ? ", fused" : "") + (plan.fold_alpha_q ? ", folded" : "") +
         (plan.denominator_rounded ? ", rounded denominator" : "") + (plan.combine == paths::Combine::lse ? ", lse" : "");
}

}  // namespace equinorm::bounds
