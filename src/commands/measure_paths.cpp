#include "commands/measure_paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "bounds/bounds.hpp"
#include "commands/apply_bound.hpp"
#include "commands/run_form.hpp"
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

void add_to(Tensor<double>& sum, const Tensor<double>& more) {
  if (sum.empty()) sum = Tensor<double>(more.shape());
  for (Index i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

double largest_of(const Tensor<double>& values) {
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i) largest = values[i] <= largest ? largest : values[i];
  return largest;
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

void measure_paths(const NamedArithmetic& arithmetic, StorageViews& views, const std::set<std::string>& names, verdict::CaseResult& result,
                   const std::function<void(paths::PathKind, const Doubles&)>& observe, const inputs::Block& block) {
  const Problem& problem = views.problem();
  const verdict::Reference& reference = views.given().reference;
  const bool bounded = bounds::has_bounds(arithmetic.plan);
  const StorageView& view = bounded ? views.stored(arithmetic.plan.precision) : views.given();
  const auto run = [&](PathKind form) { return run_form(form, arithmetic.plan, problem, views.given().inputs, names); };
  const Doubles explicit_out = run(PathKind::explicit_form), absorbed_out = run(PathKind::absorbed_form);
  std::map<std::string, double> both_bounds;
  tensor::Tensor<double> unshared;
  std::set<std::string> bounded_names = names;
  if (names.contains("logits")) bounded_names.insert(bounds::kUnsharedLogits);
  for (const auto& [form, out] : {std::pair{PathKind::explicit_form, &explicit_out}, std::pair{PathKind::absorbed_form, &absorbed_out}}) {
    if (observe) observe(form, *out);
    bounds::Bounds bounds;
    if (bounded) bounds = bounds::error_bounds(problem, view.inputs, arithmetic.plan, form, bounded_names, kOwnFunctions);
    if (const auto part = bounds.find(bounds::kUnsharedLogits); part != bounds.end()) add_to(unshared, part->second);
    for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
      const std::string& name = spec.name;
      const auto found = out->find(name);
      if (found == out->end() || !reference.contains(name)) continue;
      verdict::ErrorRow row;
      row.arithmetic = arithmetic.name;
      row.path = form == PathKind::explicit_form ? "explicit" : "absorbed";
      row.tensor = name;
      row.format = format_of_output(arithmetic.plan, name);
      row.error = verdict::measure(found->second, reference.at(name), row.format);
      problem::move_to_whole(problem, block, name, row.error.worst);
      if (bounds.contains(name)) {
        verdict::Judgement judgement = verdict::judge(found->second, view.reference.at(name), {bounds.at(name), {}, 0});
        problem::move_to_whole(problem, block, name, judgement.worst);
        apply_bound(judgement, Unbounded::measured, row);
        both_bounds[name] += row.bound.value_or(HUGE_VAL);
      }
      result.errors.push_back(std::move(row));
    }
  }
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const std::string& name = spec.name;
    if (!explicit_out.contains(name) || !absorbed_out.contains(name) || !reference.contains(name)) continue;
    verdict::DifferenceRow row{
        arithmetic.name, name, verdict::measure_difference(explicit_out.at(name), absorbed_out.at(name), reference.at(name)), {}};
    // Both forms approximate the same exact value.
    if (const auto sum = both_bounds.find(name); sum != both_bounds.end() && sum->second < HUGE_VAL) row.bound = sum->second;
    // Both compute the same statistics, whose errors cancel.
    if (name == "logits" && row.bound && !unshared.empty()) row.bound = std::min(*row.bound, largest_of(unshared));
    result.differences.push_back(std::move(row));
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
