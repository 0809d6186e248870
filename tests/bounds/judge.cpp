#include "bounds/judge.hpp"

#include <cmath>
#include <set>

#include "oracle/oracle.hpp"
#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path-inl.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
using tensor::Tensor;

namespace {

using Wide = paths::RoundedArithmetic<double>;

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
      if (surely <= bound[i]) {
        if (!(error + truth.radius[i] <= bound[i])) ++judged.undecided;
        continue;
      }
      if (judged.violations++ == 0) {
        judged.first = name + tensor::index_string(values.shape(), i) + ": got " + std::to_string(static_cast<double>(values[i])) +
                       ", exact " + std::to_string(truth.value[i]) + ", error " + std::to_string(error / bound[i]) + " bounds";
      }
    }
  }
  return result;
}

std::map<std::string, Judged> run_and_compare(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                              PathKind form, const std::map<std::string, Exact>& exact, const Bounds& bounds) {
  const auto run = [&](const auto& ar) {
    using A = std::decay_t<decltype(ar)>;
    const auto values = paths::load_inputs(ar, problem, inputs);
    return compare(problem, paths::run_path(ar, form, problem, plan, values, *paths::make_formula<A>("")), exact, bounds);
  };
  const problem::Precision& p = plan.precision;
  const bool narrow = p.storage.precision <= 24 && p.accumulate.precision <= 24 && p.statistics.precision <= 24;
  return narrow ? run(paths::RoundedArithmetic<float>(plan)) : run(paths::RoundedArithmetic<double>(plan));
}

std::map<std::string, Judged> judge(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                    PathKind form, const std::map<std::string, Exact>& exact) {
  FunctionErrors functions;
  functions.base_two = false;
  const Bounds bounds = error_bounds(problem, inputs, plan, form, names_of(problem, plan, form), functions);
  return run_and_compare(problem, inputs, plan, form, exact, bounds);
}

std::map<std::string, Exact> exact_with_balls(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
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
  return exact;
}

/// The right formula, but for alpha_q, which is handed over in a format of its own.
class HandedFormula : public paths::Formula<Wide> {
 public:
  HandedFormula(scalar::Format format, bool ftz) : format_(format), ftz_(ftz) {}
  double query_alpha(const Context& row, Index s, Index h) const override {
    return scalar::round_to(format_, paths::Formula<Wide>::query_alpha(row, s, h), ftz_);
  }

 private:
  scalar::Format format_;
  bool ftz_;
};

/// Binary64, with the formats of `given` where it stores.
Wide handing_over(paths::Plan plan, const Given& given) {
  problem::Precision& precision = plan.precision;
  precision.storage = precision.accumulate = precision.statistics = scalar::kFp64;
  precision.stored.fill(scalar::kFp64);
  if (precision.order.kind == scalar::SumOrder::Kind::tensor_core) precision.order = {};
  const auto store = [&](const char* name, problem::Stored tensor) {
    if (given.contains(name)) precision.of(tensor) = given.at(name);
  };
  for (const char* name : {"k_hat", "k_deferred", "k_rope_cached"}) store(name, problem::Stored::k_hat);
  for (const char* name : {"q_hat", "q_rope_hat"}) store(name, problem::Stored::q_hat);
  store("alpha_k", problem::Stored::alpha), store("q_tilde", problem::Stored::q_tilde), store("logits", problem::Stored::logits);
  store("u", problem::Stored::u);
  return Wide(plan);
}

}  // namespace

std::set<std::string> handed_over(const problem::Problem& problem, PathKind form, First first) {
  const bool is_explicit = form == PathKind::explicit_form, latent = !is_explicit && problem.is_mla();
  std::set<std::string> names;
  if (first == First::softmax) return {"logits"};
  if (first == First::output) return {latent ? "u" : "o"};
  if (is_explicit) {
    names.insert("k_hat");
  } else {
    names.insert("alpha_k");
    names.insert(latent ? "k_rope_cached" : "k_deferred");
  }
  if (first == First::score && !latent) names.insert("q_hat");
  if (first == First::score && latent) names.insert({"alpha_q", "q_tilde", "q_rope_hat"});
  if (!problem::norm_traits(problem).normed) names.erase("alpha_k"), names.erase("alpha_q");
  if (problem.rope_dim == 0) names.erase("k_rope_cached"), names.erase("q_rope_hat");
  return names;
}

std::map<std::string, Judged> judge_given(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& declared,
                                          PathKind form, First first, const Given& given) {
  const paths::Plan plan = HandedOver::remaining(problem, declared, given);
  std::map<std::string, Exact> exact = exact_with_balls(problem, inputs, plan, form);
  std::set<std::string> computed = names_of(problem, plan, form);
  for (const auto& [stage, names] :
       std::map<First, std::set<std::string>>{{First::query, {"alpha_k", "k_rope_cached", "k_hat", "k_deferred"}},
                                              {First::score, {"alpha_q", "q_tilde", "q_rope_hat", "q_hat"}},
                                              {First::softmax, {"logits"}},
                                              {First::output, {"p", "lse", "u"}}}) {
    if (stage > first) continue;
    for (const std::string& name : names) computed.erase(name), exact.erase(name);
  }
  if (given.contains("o")) exact.erase("o");
  FunctionErrors functions;
  functions.base_two = false;
  const Bounds bounds = error_bounds(problem, inputs, declared, form, computed, functions, given);
  const Wide kernel(plan), before = handing_over(plan, given);
  paths::StageArithmetics<Wide> stages(kernel);
  stages.project = stages.cache_write = before;
  if (first > First::query) stages.query = before;
  if (first > First::score) stages.score = before;
  if (first > First::softmax) stages.softmax = stages.value = before;
  const HandedFormula formula(given.contains("alpha_q") ? given.at("alpha_q") : scalar::kFp64, plan.precision.ftz);
  const auto values = paths::load_inputs(kernel, problem, inputs);
  return compare(problem, paths::PathRun<Wide>(stages, form, problem, plan, values, formula, {}).run(), exact, bounds);
}

std::map<std::string, Judged> judge_with_balls(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                               PathKind form) {
  return judge(problem, inputs, plan, form, exact_with_balls(problem, inputs, plan, form));
}

std::map<std::string, Judged> judge_against(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                            PathKind form, const Bounds& bounds) {
  return run_and_compare(problem, inputs, plan, form, exact_with_balls(problem, inputs, plan, form), bounds);
}

std::map<std::string, Judged> judge_with_oracle(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                                PathKind form) {
  std::map<std::string, Exact> exact;
  for (auto& [name, enclosed] : oracle::enclose(problem, inputs, names_of(problem, plan, form)))
    exact[name] = {enclosed.value, enclosed.radius};
  return judge(problem, inputs, plan, form, exact);
}

std::map<std::string, Judged> judge_probable(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan,
                                             PathKind form, double lambda) {
  FunctionErrors functions;
  functions.base_two = false;
  const std::set<std::string> names{"logits", "o"};
  std::map<std::string, Exact> exact;
  for (auto& [name, enclosed] : oracle::enclose(problem, inputs, names)) exact[name] = {enclosed.value, enclosed.radius};
  return run_and_compare(problem, inputs, plan, form, exact,
                         probable_bounds(problem, inputs, plan, form, names, lambda, functions).probable);
}

Difference judge_difference(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan) {
  FunctionErrors functions;
  functions.base_two = false;
  const Wide ar(plan);
  const auto values = paths::load_inputs(ar, problem, inputs);
  const auto bounds = [&](PathKind form) { return error_bounds(problem, inputs, plan, form, {"logits", kUnsharedLogits}, functions); };
  const auto run = [&](PathKind form) { return paths::run_path(ar, form, problem, plan, values, paths::Formula<Wide>(), {"logits"}); };
  const Bounds a = bounds(PathKind::explicit_form), b = bounds(PathKind::absorbed_form);
  const auto x = run(PathKind::explicit_form), y = run(PathKind::absorbed_form);
  Difference result;
  for (Index i = 0; i < x.at("logits").size(); ++i) {
    const double difference = std::fabs(x.at("logits")[i] - y.at("logits")[i]);
    const double sharp = a.at(kUnsharedLogits)[i] + b.at(kUnsharedLogits)[i], simple = a.at("logits")[i] + b.at("logits")[i];
    if (!(sharp < kInfinity) || difference == 0) continue;
    result.worst = std::fmax(result.worst, difference / sharp), result.worst_simple = std::fmax(result.worst_simple, difference / simple);
  }
  return result;
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
