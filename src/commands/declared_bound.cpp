#include "commands/declared_bound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "commands/storage_views.hpp"

namespace equinorm::commands {
namespace {

using problem::Precision;
using problem::Stored;

/// Query rows times tokens: some seconds' work.
constexpr double kProbableTokens = 1 << 16;

bool narrowed(const Precision& precision, Stored tensor) { return precision.of(tensor).precision < precision.statistics.precision; }

/// Every plan of the form that the declaration allows and that moves the bound. FMA only widens it, so it is always assumed.
std::vector<paths::Plan> open_plans(const Precision& precision, problem::PathKind form, std::optional<bool> folds_alpha_q) {
  std::vector<paths::Plan> plans;
  for (const bool fold : {true, false}) {
    for (const bool rounded : {true, false}) {
      for (const paths::Combine combine : {paths::Combine::unnormalised, paths::Combine::lse}) {
        if (!fold && form == problem::PathKind::explicit_form) continue;
        if (form == problem::PathKind::absorbed_form && folds_alpha_q.value_or(fold) != fold) continue;
        if (!rounded && !narrowed(precision, Stored::p)) continue;
        if (combine == paths::Combine::lse && precision.splits <= 1) continue;
        paths::Plan plan;
        plan.precision = precision;
        plan.fold_alpha_q = fold, plan.denominator_rounded = rounded, plan.combine = combine;
        plans.push_back(plan);
      }
    }
  }
  return plans;
}

void widen(bounds::Bounds& all, bounds::Bounds more) {
  for (auto& [name, bound] : more) {
    const auto [entry, fresh] = all.try_emplace(name, std::move(bound));
    if (fresh) continue;
    for (tensor::Index i = 0; i < entry->second.size(); ++i) entry->second[i] = std::max(entry->second[i], bound[i]);
  }
}

}  // namespace

bounds::Bounds declared_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const verdict::Reference& reference,
                               const std::set<std::string>& names, const KernelChoices& choices) {
  const problem::PathKind form = problem.precision.path;
  const std::vector<paths::Plan> plans = open_plans(problem.precision, form, choices.folds_alpha_q);
  bounds::Bounds all;
  if (!bounds::has_bounds(plans.front())) return all;
  verdict::Reference named;  // tensors that were handed over may be large, and are not looked at
  for (const std::string& name : names) {
    if (const auto found = reference.find(name); found != reference.end()) named.insert(*found);
  }
  StorageViews views(problem, {inputs, std::move(named)}, names);
  const StorageView& view = views.stored(problem.precision);
  all = bounds::widest_bounds(problem, view.inputs, plans, form, names, {}, choices.given);
  // What only the other form has is judged as part of that one.
  std::set<std::string> left;
  for (const std::string& name : names) {
    if (!all.contains(name)) left.insert(name);
  }
  const bool is_explicit = form == problem::PathKind::explicit_form;
  const problem::PathKind other = is_explicit ? problem::PathKind::absorbed_form : problem::PathKind::explicit_form;
  if (!left.empty()) all.merge(bounds::widest_bounds(problem, view.inputs, open_plans(problem.precision, other, {}), other, left));
  if (&view == &views.given()) return all;
  for (auto& [name, bound] : all) {
    const verdict::ReferenceTensor &given = reference.at(name), &moved = view.reference.at(name);
    for (tensor::Index i = 0; i < bound.size(); ++i) {
      if (!std::isfinite(given.value[i])) continue;
      const double radii = (given.radius.empty() ? 0 : given.radius[i]) + (moved.radius.empty() ? 0 : moved.radius[i]);
      bound[i] += std::fabs((moved.value[i] - given.value[i]) + (moved.low[i] - given.low[i])) + radii;
    }
  }
  return all;
}

DeclaredProbable declared_probable_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs,
                                          const verdict::Reference& reference, const std::set<std::string>& names) {
  DeclaredProbable all;
  const double rows = static_cast<double>(problem.batch * problem.queries * problem.heads);
  const bool small = rows * static_cast<double>(problem.max_context()) <= kProbableTokens;
  StorageViews views(problem, {inputs, reference}, names);
  if (!small || !(names.contains("logits") || names.contains("o"))) return all;
  const StorageView& view = views.stored(problem.precision);
  if (&view != &views.given()) return all;
  std::set<std::string> wanted;
  for (const char* name : {"logits", "o"}) {
    if (names.contains(name)) wanted.insert(name);
  }
  for (const paths::Plan& plan : open_plans(problem.precision, problem.precision.path, {})) {
    if (!bounds::has_bounds(plan)) return all;
    bounds::ProbableBounds both = bounds::probable_bounds(problem, view.inputs, plan, problem.precision.path, wanted);
    widen(all.bounds, std::move(both.probable));
    all.miss = both.miss();
  }
  return all;
}

std::string describe_declaration(const Precision& precision) {
  std::string text =
      fmt::format("{} form, storage {}, accumulation {}, statistics {}", problem::to_string(precision.path),
                  scalar::to_string(precision.storage), scalar::to_string(precision.accumulate), scalar::to_string(precision.statistics));
  for (std::size_t i = 0; i < precision.stored.size(); ++i) {
    if (narrowed(precision, static_cast<Stored>(i))) {
      text += fmt::format(", {} {}", problem::kStoredNames[i], scalar::to_string(precision.stored[i]));
    }
  }
  if (precision.splits > 1) text += fmt::format(", {} splits", precision.splits);
  if (precision.tile > 0) text += fmt::format(", tiles of {}", precision.tile);
  return text + fmt::format(", order {}{}", scalar::to_string(precision.order), precision.ftz ? ", ftz" : "");
}

}  // namespace equinorm::commands
