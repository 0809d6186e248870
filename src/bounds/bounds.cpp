#include "bounds/bounds.hpp"

#include <algorithm>
#include <memory>

#include "bounds/bound_run.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

/// A plan that is left once tensors are handed over, and these.
struct Run {
  paths::Plan plan;
  std::shared_ptr<const HandedOver> given;  ///< null: none
  std::size_t scores;                       ///< number of those that have the same scores
};

/// All of a plan but its precision.
bool same_choices(const paths::Plan& a, const paths::Plan& b) {
  return a.fused == b.fused && a.fold_alpha_q == b.fold_alpha_q && a.denominator_rounded == b.denominator_rounded && a.combine == b.combine;
}

/// What binary64 does not know of tensors that are handed over. Keys are no different where another choice is made after them, so they are
/// looked at once.
class Unknown {
 public:
  explicit Unknown(Common& common) : common_(common) {}

  HandedOver::Shared operator()(const paths::Plan& plan, PathKind form, const std::set<std::string>& names) {
    HandedOver::Shared found;
    std::set<std::string> left;
    for (const std::string& name : names) {
      const auto known = keys_.find({form, name});
      if (known != keys_.end())
        found.emplace(name, known->second);
      else
        left.insert(name);
    }
    if (left.empty()) return found;
    for (auto& [name, bound] : BoundRun(Setting(common_.problem, plan, form), common_, left, nullptr).run()) {
      const auto made = std::make_shared<const Tensor<double>>(std::move(bound));
      found.emplace(name, made);
      if (name == "alpha_k" || name.starts_with("k_")) keys_.emplace(std::pair{form, name}, made);
    }
    return found;
  }

 private:
  Common& common_;
  std::map<std::pair<PathKind, std::string>, std::shared_ptr<const Tensor<double>>> keys_;
};

/// One run for each plan, those left out that would say the same again: what is handed over leaves less of a plan open.
std::vector<Run> runs_of(Common& common, const std::vector<paths::Plan>& plans, PathKind form, const Given& given) {
  Unknown unknown(common);
  std::vector<Run> runs;
  for (const paths::Plan& plan : plans) {
    Run run{plan, nullptr, 0};
    if (!given.empty()) {
      auto handed = std::make_shared<const HandedOver>(common.problem, plan, form, given, std::ref(unknown));
      run = {HandedOver::remaining(common.problem, plan, given), std::move(handed), 0};
    }
    const auto same = [&](const Run& other) {
      return same_choices(run.plan, other.plan) && (run.given == nullptr || *run.given == *other.given);
    };
    if (std::any_of(runs.begin(), runs.end(), same)) continue;
    const auto same_before_softmax = [&](const Run& other) {
      return run.plan.fused == other.plan.fused && run.plan.fold_alpha_q == other.plan.fold_alpha_q &&
             (run.given == nullptr || *run.given == *other.given);
    };
    const auto known = std::find_if(runs.begin(), runs.end(), same_before_softmax);
    run.scores = known != runs.end() ? known->scores : runs.size() + 1;
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace

bool has_bounds(const paths::Plan& plan) {
  const problem::Precision& precision = plan.precision;
  const auto fits = [](scalar::Format format) { return format.kind != scalar::FormatKind::real; };
  return fits(precision.storage) && fits(precision.accumulate) && fits(precision.statistics);
}

Bounds error_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                    const std::set<std::string>& wanted, const FunctionErrors& functions, const Given& given) {
  return widest_bounds(problem, inputs, {plan}, form, wanted, functions, given);
}

Bounds widest_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::vector<paths::Plan>& plans, PathKind form,
                     const std::set<std::string>& wanted, const FunctionErrors& functions, const Given& given) {
  for (const paths::Plan& plan : plans) {
    if (has_bounds(plan)) continue;
    throw Error("precision: no error bound for accumulation in " + scalar::to_string(plan.precision.accumulate) +
                "; allowed: fp16, bf16, fp32, fp64");
  }
  Common common(problem, inputs, plans.size());
  Bounds all;
  std::vector<Run> runs = runs_of(common, plans, form, given);
  std::stable_sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.scores < b.scores; });
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const Setting at(problem, run.plan, form, functions);
    BoundRun bounds(at, common, wanted, run.given.get());
    if (i > 0 && runs[i - 1].scores != run.scores) common.scores.clear();
    const bool alone = (i == 0 || runs[i - 1].scores != run.scores) && (i + 1 == runs.size() || runs[i + 1].scores != run.scores);
    if (!alone) bounds.share_scores(run.scores);
    Bounds more = bounds.run();
    for (auto& [name, bound] : more) {
      const auto [entry, fresh] = all.try_emplace(name, std::move(bound));
      for (Index j = 0; j < bound.size() && !fresh; ++j) entry->second[j] = std::max(entry->second[j], bound[j]);
    }
  }
  return all;
}

Bounds instrumented_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                           const std::set<std::string>& wanted, const FunctionErrors& functions) {
  // A sum that is known better may leave a store less lucky in its neighbours: the smaller of the two holds.
  Bounds bounds = error_bounds(problem, inputs, plan, form, wanted, functions);
  Setting at(problem, plan, form, functions);
  at.follow_sums = true;
  Common common(problem, inputs, 1);
  for (const auto& [name, followed] : BoundRun(at, common, wanted, nullptr).run()) {
    Tensor<double>& bound = bounds.at(name);
    for (Index i = 0; i < bound.size(); ++i) bound[i] = followed[i] < bound[i] ? followed[i] : bound[i];
  }
  return bounds;
}

double ProbableBounds::miss() const { return 2 * std::exp(-lambda * lambda / 2); }

ProbableBounds probable_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                               const std::set<std::string>& wanted, double lambda, const FunctionErrors& functions) {
  const problem::Precision& precision = plan.precision;
  const bool modelled = problem.start == problem::Start::latent && precision.order.kind != scalar::SumOrder::Kind::tensor_core &&
                        precision.accumulate.precision >= 24 && precision.statistics.precision >= 24;
  ProbableBounds result{{}, {}, lambda};
  if (!modelled || !has_bounds(plan)) {
    result.rigorous = error_bounds(problem, inputs, plan, form, wanted, functions);
    return result;
  }
  const Setting at(problem, plan, form, functions);
  Common common(problem, inputs, 1);
  BoundRun run(at, common, wanted, nullptr, lambda);
  result.rigorous = run.run();
  result.probable = run.probable();
  return result;
}

}  // namespace equinorm::bounds
