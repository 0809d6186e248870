#include "commands/sensitivity.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "bounds/bounds.hpp"
#include "commands/apply_bound.hpp"
#include "commands/arithmetics.hpp"
#include "commands/mutant_run.hpp"
#include "commands/reference.hpp"
#include "commands/run_form.hpp"
#include "commands/storage_views.hpp"
#include "inputs/block.hpp"
#include "paths/mutants.hpp"
#include "problem/axes.hpp"
#include "verdict/join.hpp"

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

/// Whether a tensor has parts of heads or groups; what has none is shared by all blocks of a row.
bool belongs_to_heads(const problem::Problem& problem, const std::string& tensor) {
  const std::vector<problem::Axis> axes = problem::axes_of(problem, tensor);
  return std::any_of(axes.begin(), axes.end(),
                     [](const problem::Axis& axis) { return axis.along == problem::Along::heads || axis.along == problem::Along::groups; });
}

}  // namespace

using paths::PathKind;

/// A problem's exact outputs, and the bounds of every plan that a mutant asks for. Plans are those of the problem that it is a block of.
class Sensitivity::Judge {
 public:
  Judge(const problem::Problem& problem, const tensor::TensorMap& inputs, const problem::Problem& whole)
      : problem_(problem),
        whole_(whole),
        given_(inputs),
        plan_(find_arithmetic("declared", problem).plan),
        names_(names_of(problem, plan_)) {
    StorageView view{inputs, certified_reference(problem, inputs, names_).tensors};
    views_.emplace(problem, std::move(view), names_);
  }

  JudgedMutant judge(const paths::Mutant& mutant) {
    JudgedMutant judged;
    if (mutant.expects(paths::kStructural)) {
      judged.rows = {run_structural_mutant(mutant, problem_, given_, whole_, judged.right_nonfinite)};
      return judged;
    }
    paths::Plan plan = plan_, honest = plan_;
    if (mutant.adjust != nullptr) mutant.adjust(whole_, plan);
    // Tiles and splits are how the faulty kernel works; a narrower tensor is its fault, and not declared.
    honest.precision.tile = plan.precision.tile, honest.precision.splits = plan.precision.splits, honest.combine = plan.combine;
    const StorageView& view = views_->stored(plan.precision);
    const bounds::Bounds& bounds = bounds_of(honest, view);
    const Doubles out = run_form(PathKind::absorbed_form, plan, problem_, view.inputs, names_, std::string(mutant.id));
    for (const problem::TensorSpec& spec : problem::output_tensors(problem_)) {
      const auto found = out.find(spec.name);
      if (found == out.end() || !bounds.contains(spec.name)) continue;
      const verdict::ReferenceTensor& exact = view.reference.at(spec.name);
      verdict::ErrorRow row;
      row.arithmetic = "declared", row.path = "absorbed", row.tensor = spec.name;
      row.format = format_of_output(plan, spec.name);
      row.error = verdict::measure(found->second, exact, row.format);
      judged.judgements.push_back(verdict::judge(found->second, exact, {bounds.at(spec.name), {}, 0}));
      apply_bound(judged.judgements.back(), Unbounded::undecided, row);
      judged.max_exact[spec.name] = verdict::largest_finite(exact.value);
      judged.rows.push_back(std::move(row));
    }
    return judged;
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
  const problem::Problem& whole_;
  const tensor::TensorMap& given_;
  paths::Plan plan_;
  std::set<std::string> names_;
  std::optional<StorageViews> views_;
  std::vector<Known> known_;
};

Sensitivity::Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs) : Sensitivity(problem, inputs, problem) {}

Sensitivity::Sensitivity(const problem::Problem& problem, const tensor::TensorMap& inputs, const problem::Problem& whole)
    : judge_(std::make_shared<Judge>(problem, inputs, whole)) {}

JudgedMutant Sensitivity::judge(const paths::Mutant& mutant) { return judge_->judge(mutant); }

verdict::MutantRow Sensitivity::row(const paths::Mutant& mutant) { return summarise(mutant, judge(mutant).rows); }

std::vector<const paths::Mutant*> mutants_of(const problem::Problem& problem) {
  std::vector<const paths::Mutant*> found;
  for (const paths::Mutant& mutant : paths::mutants()) {
    if (mutant.applies(problem)) found.push_back(&mutant);
  }
  return found;
}

JudgedMutant judge_mutant_on(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant,
                             const problem::Block& block) {
  const problem::Problem part = problem::block_problem(problem, block);
  const tensor::TensorMap part_inputs = inputs::block_inputs(problem, inputs, block);
  JudgedMutant judged = Sensitivity(part, part_inputs, problem).judge(paths::find_mutant(mutant));
  for (verdict::ErrorRow& row : judged.rows) problem::move_to_whole(problem, block, row.tensor, row.error.worst);
  for (std::size_t i = 0; i < judged.judgements.size(); ++i) {
    verdict::ErrorRow& row = judged.rows[i];
    problem::move_to_whole(problem, block, row.tensor, judged.judgements[i].worst);
    if (block.first_head == 0 || belongs_to_heads(problem, row.tensor)) continue;
    row.error = {}, judged.judgements[i] = {};  // every block of a row has it: counted once
  }
  return judged;
}

void join(JudgedMutant& whole, JudgedMutant&& part) {
  if (whole.rows.empty()) {
    whole = std::move(part);
    return;
  }
  for (const auto& [name, value] : part.max_exact) whole.max_exact[name] = std::fmax(whole.max_exact[name], value);
  for (std::size_t i = 0; i < whole.rows.size(); ++i) verdict::join(whole.rows[i], part.rows.at(i), whole.max_exact[whole.rows[i].tensor]);
  for (std::size_t i = 0; i < whole.judgements.size(); ++i) verdict::join(whole.judgements[i], part.judgements.at(i));
  whole.right_nonfinite += part.right_nonfinite;
}

std::vector<verdict::ErrorRow> settled(JudgedMutant&& judged) {
  for (std::size_t i = 0; i < judged.judgements.size(); ++i) {
    judged.rows[i].detail.clear();
    apply_bound(judged.judgements[i], Unbounded::undecided, judged.rows[i]);
  }
  if (judged.judgements.empty()) {
    for (verdict::ErrorRow& row : judged.rows) settle_structural(judged.right_nonfinite, row);
  }
  const bool caught = std::any_of(judged.rows.begin(), judged.rows.end(), [](const verdict::ErrorRow& row) { return fails(row.verdict); });
  for (verdict::ErrorRow& row : judged.rows) {
    if (caught || !holds(row.verdict)) continue;
    row.verdict = verdict::Verdict::undecided;
    row.detail = "within its bound: this case cannot tell the fault from rounding";
  }
  return std::move(judged.rows);
}

std::vector<verdict::ErrorRow> judge_mutant(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant) {
  return settled(judge_mutant_on(problem, inputs, mutant, {}));
}

}  // namespace equinorm::commands
