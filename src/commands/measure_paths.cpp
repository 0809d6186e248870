#include "commands/measure_paths.hpp"

#include <cmath>
#include <limits>
#include <map>

#include "commands/reference.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/real_arithmetic.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::commands {
namespace {

using paths::Index;
using paths::PathKind;
using paths::Plan;
using problem::Problem;
using tensor::Tensor;
using Doubles = std::map<std::string, Tensor<double>>;

double as_double(float x) { return x; }
double as_double(double x) { return x; }
double as_double(const scalar::Real& x) { return scalar::to_double(x); }

/// Outputs as doubles, -inf where there is no number.
template <class V>
Doubles to_doubles(const Problem& problem, const paths::PathOutput<V>& out, const std::set<std::string>& names) {
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  Doubles result;
  for (const auto& [name, source] : out.tensors) {
    if (!names.contains(name)) continue;
    Tensor<double> values(source.shape());
    for (Index i = 0; i < source.size(); ++i) values[i] = as_double(source[i]);
    if (name == "lse") {
      for (Index i = 0; i < source.size(); ++i) values[i] = out.lse_live[i] != 0 ? values[i] : kMinusInfinity;
    }
    if (name == "logits") {
      Index i = 0;
      for (Index b = 0; b < problem.batch; ++b) {
        for (Index h = 0; h < problem.heads; ++h) {
          for (Index s = 0; s < problem.queries; ++s) {
            for (Index t = 0; t < problem.max_context(); ++t, ++i) values[i] = *out.live.row(b, s, t) != 0 ? values[i] : kMinusInfinity;
          }
        }
      }
    }
    result.emplace(name, std::move(values));
  }
  return result;
}

template <class A>
std::pair<Doubles, Doubles> run_both(const A& ar, const Plan& plan, const Problem& problem, const tensor::TensorMap& inputs,
                                     const std::set<std::string>& names) {
  const auto values = paths::load_inputs(ar, problem, inputs);
  const auto formula = paths::make_formula<A>("");
  const auto run = [&](PathKind form) {
    return to_doubles(problem, paths::run_path(ar, form, problem, plan, values, *formula, names), names);
  };
  Doubles explicit_out = run(PathKind::explicit_form);
  return {std::move(explicit_out), run(PathKind::absorbed_form)};
}

bool fits_float(const Plan& plan) {
  const auto narrow = [](scalar::Format f) { return f.kind != scalar::FormatKind::real && f.precision <= scalar::kFp32.precision; };
  return narrow(plan.precision.storage) && narrow(plan.precision.accumulate) && narrow(plan.precision.statistics);
}

std::pair<Doubles, Doubles> run_arithmetic(const Plan& plan, const Problem& problem, const tensor::TensorMap& inputs,
                                           const std::set<std::string>& names) {
  if (plan.precision.accumulate.kind == scalar::FormatKind::real || plan.precision.storage.kind == scalar::FormatKind::real) {
    return run_both(paths::RealArithmetic(plan.precision.accumulate.precision, plan), plan, problem, inputs, names);
  }
  if (fits_float(plan)) return run_both(paths::RoundedArithmetic<float>(plan), plan, problem, inputs, names);
  return run_both(paths::RoundedArithmetic<double>(plan), plan, problem, inputs, names);
}

using Wide = paths::RoundedArithmetic<double>;

/// The stages in data-flow order, with the member that carries each one's arithmetic.
struct StageMember {
  const char* name;
  Wide paths::StageArithmetics<Wide>::*arithmetic;
};
constexpr StageMember kStages[] = {
    {"project", &paths::StageArithmetics<Wide>::project}, {"cache_write", &paths::StageArithmetics<Wide>::cache_write},
    {"query", &paths::StageArithmetics<Wide>::query},     {"score", &paths::StageArithmetics<Wide>::score},
    {"softmax", &paths::StageArithmetics<Wide>::softmax}, {"value", &paths::StageArithmetics<Wide>::value},
    {"output", &paths::StageArithmetics<Wide>::output}};

Plan widest(const Plan& plan) {
  Plan wide = plan;
  wide.precision.storage = wide.precision.accumulate = wide.precision.statistics = scalar::kFp64;
  wide.precision.stored.fill(scalar::kFp64);
  wide.precision.ftz = false;
  if (wide.precision.order.kind == scalar::SumOrder::Kind::tensor_core) wide.precision.order = {};
  wide.fused = true;
  return wide;
}

double largest_deviation(const Tensor<double>& a, const Tensor<double>& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const double deviation = std::fabs(a[i] - b[i]);
    if (!(deviation <= largest) && !(std::isinf(a[i]) && a[i] == b[i])) largest = std::isnan(deviation) ? HUGE_VAL : deviation;
  }
  return largest;
}

/// Per tensor the stage whose rounding alone moves it most.
std::map<std::string, std::string> main_stages(const Plan& plan, PathKind form, const inputs::Sample& sample,
                                               const std::set<std::string>& names) {
  const Wide narrow(plan), wide(widest(plan));
  const auto exact_inputs = paths::load_inputs(wide, sample.problem, sample.inputs);
  const auto rounded_inputs = paths::load_inputs(narrow, sample.problem, sample.inputs);
  const auto run = [&](const paths::StageArithmetics<Wide>& stages, const paths::PathInputs<double>& values) {
    return to_doubles(sample.problem, paths::run_staged_path(stages, form, sample.problem, plan, values, names), names);
  };
  const Doubles base = run(paths::StageArithmetics<Wide>(wide), exact_inputs);
  std::map<std::string, std::string> best;
  std::map<std::string, double> most;
  const auto consider = [&](const char* stage, const Doubles& moved) {
    for (const auto& [name, values] : moved) {
      const double deviation = largest_deviation(values, base.at(name));
      if (deviation > most[name]) most[name] = deviation, best[name] = stage;
    }
  };
  consider("inputs", run(paths::StageArithmetics<Wide>(wide), rounded_inputs));
  for (const StageMember& stage : kStages) {
    paths::StageArithmetics<Wide> stages(wide);
    stages.*stage.arithmetic = narrow;
    consider(stage.name, run(stages, exact_inputs));
  }
  return best;
}

}  // namespace

void measure_paths(const NamedArithmetic& arithmetic, const Problem& problem, const tensor::TensorMap& inputs,
                   const verdict::Reference& reference, const std::set<std::string>& names, verdict::CaseResult& result) {
  const auto [explicit_out, absorbed_out] = run_arithmetic(arithmetic.plan, problem, inputs, names);
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const std::string& name = spec.name;
    if (!names.contains(name) || !reference.contains(name)) continue;
    const scalar::Format format = format_of_output(arithmetic.plan, name);
    for (const auto& [path, out] : {std::pair{"explicit", &explicit_out}, std::pair{"absorbed", &absorbed_out}}) {
      const auto found = out->find(name);
      if (found == out->end()) continue;
      verdict::ErrorRow row;
      row.arithmetic = arithmetic.name;
      row.path = path;
      row.tensor = name;
      row.format = format;
      row.error = verdict::measure(found->second, reference.at(name), format);
      result.errors.push_back(std::move(row));
    }
    if (explicit_out.contains(name) && absorbed_out.contains(name)) {
      result.differences.push_back(
          {arithmetic.name, name, verdict::measure_difference(explicit_out.at(name), absorbed_out.at(name), reference.at(name)), {}});
    }
  }
}

void find_main_stages(const NamedArithmetic& arithmetic, const inputs::Sample& sample, verdict::CaseResult& result) {
  const scalar::Format accumulate = arithmetic.plan.precision.accumulate;
  if (accumulate.kind == scalar::FormatKind::real || accumulate.precision >= scalar::kFp64.precision) return;
  std::set<std::string> names;
  for (const verdict::ErrorRow& row : result.errors) names.insert(row.tensor);
  for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
    const std::map<std::string, std::string> best = main_stages(arithmetic.plan, form, sample, names);
    const std::string path = form == PathKind::explicit_form ? "explicit" : "absorbed";
    for (verdict::ErrorRow& row : result.errors) {
      if (row.arithmetic != arithmetic.name || row.path != path) continue;
      if (const auto found = best.find(row.tensor); found != best.end()) row.main_stage = found->second;
    }
  }
}

}  // namespace equinorm::commands
