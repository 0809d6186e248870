#include "commands/sensitivity.hpp"

#include <algorithm>
#include <optional>

#include "bounds/bounds.hpp"
#include "commands/apply_bound.hpp"
#include "commands/arithmetics.hpp"
#include "commands/mutant_run.hpp"
#include "commands/reference.hpp"
#include "commands/run_form.hpp"
#include "commands/storage_views.hpp"
#include "paths/mutants.hpp"
#include "verdict/judge.hpp"

namespace equinorm::commands {
namespace {

verdict::MutantRow summarise(const paths::Mutant& mutant, const std::vector<verdict::ErrorRow>& rows) {
  verdict::MutantRow result;
  result.mutant = mutant.id;
  for (const verdict::ErrorRow& row : rows) {
    if (!fails(row.verdict)) continue;
    const bool is_output = row.tensor == "o" || row.tensor == "o_gated" || row.tensor == "y" || row.tensor == "lse";
    if (!result.caught_by.empty()) result.caught_by += ", ";
    result.caught_by += row.tensor;
    result.by_output = result.by_output || is_output;
    result.verdict = row.verdict;
    result.ratio = std::max(result.ratio, row.ratio.value_or(0));
  }
  if (result.caught_by.empty()) result.verdict = verdict::Verdict::within;
  return result;
}

}  // namespace

using paths::PathKind;

/// A problem's exact outputs, and the bounds of every plan that a mutant asks for.
class Sensitivity::Judge {
 public:
  Judge(const problem::Problem& problem, const tensor::TensorMap& inputs)
      : problem_(problem), given_(inputs), plan_(find_arithmetic("declared", problem).plan), names_(names_of(problem, plan_)) {
    StorageView view{inputs, certified_reference(problem, inputs, names_).tensors};
    views_.emplace(problem, std::move(view), names_);
  }

  std::vector<verdict::ErrorRow> rows(const paths::Mutant& mutant) {
    if (mutant.expects(paths::kStructural)) {
      verdict::CaseResult result;
      run_structural_mutant(mutant, problem_, given_, result);
      return std::move(result.errors);
    }
    paths::Plan plan = plan_, honest = plan_;
    if (mutant.adjust != nullptr) mutant.adjust(problem_, plan);
    // Tiles and splits are how the faulty kernel works; a narrower tensor is its fault, and not declared.
    honest.precision.tile = plan.precision.tile, honest.precision.splits = plan.precision.splits, honest.combine = plan.combine;
    const StorageView& view = views_->stored(plan.precision);
    const bounds::Bounds& bounds = bounds_of(honest, view);
    const Doubles out = run_form(PathKind::absorbed_form, plan, problem_, view.inputs, names_, std::string(mutant.id));
    std::vector<verdict::ErrorRow> rows;
    for (const problem::TensorSpec& spec : problem::output_tensors(problem_)) {
      const auto found = out.find(spec.name);
      if (found == out.end() || !bounds.contains(spec.name)) continue;
      verdict::ErrorRow row;
      row.arithmetic = "declared", row.path = "absorbed", row.tensor = spec.name;
      row.format = format_of_output(plan, spec.name);
      row.error = verdict::measure(found->second, view.reference.at(spec.name), row.format);
      apply_bound(verdict::judge(found->second, view.reference.at(spec.name), {bounds.at(spec.name), {}, 0}), Unbounded::undecided, row);
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  static std::set<std::string> names_of(const problem::Problem& problem, const paths::Plan& plan) {
    std::set<std::string> names;
    for (const problem::TensorSpec& spec : paths::outputs_of(PathKind::absorbed_form, problem, plan)) names.insert(spec.name);
    return names;
  }

  struct Known {
    std::int64_t tile, splits;
    paths::Combine combine;
    bounds::Bounds bounds;
  };

  const bounds::Bounds& bounds_of(const paths::Plan& plan, const StorageView& view) {
    const auto same = [&](const Known& known) {
      return known.tile == plan.precision.tile && known.splits == plan.precision.splits && known.combine == plan.combine;
    };
    const auto found = std::find_if(known_.begin(), known_.end(), same);
    if (found != known_.end()) return found->bounds;
    known_.push_back({plan.precision.tile, plan.precision.splits, plan.combine,
                      bounds::error_bounds(problem_, view.inputs, plan, PathKind::absorbed_form, names_, kOwnFunctions)});
    return known_.back().bounds;
  }

  const problem::Problem& problem_;
  const tensor::TensorMap& given_;
  paths::Plan plan_;
  std::set<std::string> names_;
  std::optional<StorageViews> views_;
  std::vector<Known> known_;
};

Sensitivity::Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs)
    : judge_(std::make_shared<Judge>(problem, inputs)) {}

std::vector<verdict::ErrorRow> Sensitivity::judge(const paths::Mutant& mutant) { return judge_->rows(mutant); }

verdict::MutantRow Sensitivity::row(const paths::Mutant& mutant) { return summarise(mutant, judge(mutant)); }

std::vector<const paths::Mutant*> mutants_of(const problem::Problem& problem) {
  std::vector<const paths::Mutant*> found;
  for (const paths::Mutant& mutant : paths::mutants()) {
    if (mutant.applies(problem)) found.push_back(&mutant);
  }
  return found;
}

std::vector<verdict::ErrorRow> judge_mutant(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant) {
  std::vector<verdict::ErrorRow> rows = Sensitivity(problem, inputs).judge(paths::find_mutant(mutant));
  if (std::any_of(rows.begin(), rows.end(), [](const verdict::ErrorRow& row) { return fails(row.verdict); })) return rows;
  for (verdict::ErrorRow& row : rows) {
    if (!holds(row.verdict)) continue;
    row.verdict = verdict::Verdict::undecided;
    row.detail = "within its bound: this case cannot tell the fault from rounding";
  }
  return rows;
}

}  // namespace equinorm::commands
