// What may be stored in 16 bits: one tensor at a time, measured, bounded, and predicted.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bounds/bounds.hpp"
#include "commands/arithmetics.hpp"
#include "commands/report_amplification.hpp"
#include "commands/report_parts.hpp"
#include "commands/run_form.hpp"
#include "problem/cache_cost.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::commands {
namespace {

using paths::PathKind;
using problem::Problem;
using problem::Stored;
using tensor::Index;
using tensor::Tensor;

/// What is stored short in one run.
struct Choice {
  std::string name;
  std::vector<Stored> stored;
  std::string seen_in;
  bool in_explicit, in_absorbed;
  bool yardstick = false;
};

std::vector<Choice> choices(const Problem& problem) {
  const bool mla = problem.is_mla();
  std::vector<Choice> all;
  if (problem::norm_traits(problem).normed) all.push_back({"alpha_k", {Stored::alpha}, "logits", true, true});
  if (mla) {
    all.push_back({"q_tilde", {Stored::q_tilde}, "logits", false, true});
    all.push_back({"g", {Stored::g}, "logits", false, true});
    all.push_back({"k0", {Stored::k0}, "logits", true, true});
  }
  all.push_back({"p", {Stored::p}, "o", true, true});
  if (mla) {
    all.push_back({"u", {Stored::u}, "o", false, true});
    all.push_back({"v", {Stored::v}, "o", true, false});
  }
  all.push_back({"o", {Stored::o}, "o", true, true, true});
  all.push_back({"q_hat, k_hat", {Stored::q_hat, Stored::k_hat}, "logits", true, false, true});
  return all;
}

/// Sum of the squares of a - b, and how many there are; masked logits move by nothing.
void add_squares(const Tensor<double>& a, const Tensor<double>& b, double& sum, double& count) {
  for (Index i = 0; i < a.size(); ++i) {
    if (std::isinf(b[i]) && a[i] == b[i]) continue;
    sum += (a[i] - b[i]) * (a[i] - b[i]), count += 1;
  }
}

double largest(const Tensor<double>& exact) {
  double most = 0;
  for (Index i = 0; i < exact.size(); ++i) most = std::max(most, std::isfinite(exact[i]) ? std::fabs(exact[i]) : 0);
  return most;
}

std::vector<Choice> choices_of(const Problem& problem, PathKind form) {
  std::vector<Choice> mine;
  for (const Choice& choice : choices(problem)) {
    if (form == PathKind::explicit_form ? choice.in_explicit : choice.in_absorbed) mine.push_back(choice);
  }
  return mine;
}

const std::vector<scalar::Format> kNarrow{scalar::kBf16, scalar::kFp16};

/// Adds a block's figures to those of the blocks before it.
void join(StorageFigures& whole, const StorageFigures& part) {
  const auto larger = [](const std::optional<double>& a, const std::optional<double>& b) {
    return a && b ? std::optional(std::max(*a, *b)) : std::nullopt;
  };
  whole.row.base_error = std::max(whole.row.base_error, part.row.base_error), whole.row.error = std::max(whole.row.error, part.row.error);
  whole.row.base_bound = larger(whole.row.base_bound, part.row.base_bound), whole.row.bound = larger(whole.row.bound, part.row.bound);
  whole.row.moved += part.row.moved, whole.changed += part.changed;
  whole.largest = std::max(whole.largest, part.largest);
}

/// Runs and judges one form with some tensors narrowed.
class Bench {
 public:
  Bench(StorageViews& views, PathKind form)
      : problem_(views.problem()),
        form_(form),
        plan_(find_arithmetic("fp32", problem_).plan),
        view_(views.stored(plan_.precision)),
        last_(last_output(problem_)),
        names_{"logits", "o", last_},
        largest_(largest(view_.reference.at(last_).value)),
        base_(run(plan_)),
        base_error_(error(base_)),
        base_bound_(bound(plan_)) {}

  StorageFigures measure(const Choice& choice, scalar::Format format) const {
    paths::Plan plan = plan_;
    for (const Stored stored : choice.stored) plan.precision.of(stored) = format;
    const Doubles out = run(plan);
    StorageFigures figures;
    report::StorageRow& row = figures.row;
    row.tensor = choice.name, row.path = form_ == PathKind::explicit_form ? "explicit" : "absorbed", row.format = format;
    row.base_error = base_error_, row.error = error(out);
    row.base_bound = base_bound_, row.bound = bound(plan);
    row.seen_in = choice.seen_in;
    add_squares(out.at(choice.seen_in), base_.at(choice.seen_in), row.moved, figures.changed);
    row.yardstick = choice.yardstick;
    figures.largest = largest_;
    return figures;
  }

 private:
  Doubles run(const paths::Plan& plan) const { return run_form(form_, plan, problem_, view_.inputs, names_); }

  double error(const Doubles& out) const {
    const verdict::ErrorStatistics statistics = verdict::measure(out.at(last_), view_.reference.at(last_), plan_.precision.of(Stored::o));
    return statistics.nonfinite > 0 ? HUGE_VAL : statistics.max_abs;
  }

  std::optional<double> bound(const paths::Plan& plan) const {
    const bounds::Bounds bounds = bounds::error_bounds(problem_, view_.inputs, plan, form_, {last_}, kOwnFunctions);
    double most = 0;
    for (Index i = 0; i < bounds.at(last_).size(); ++i) most = std::max(most, bounds.at(last_)[i]);
    if (!std::isfinite(most)) return {};
    return most;
  }

  const Problem& problem_;
  PathKind form_;
  paths::Plan plan_;
  const StorageView& view_;
  std::string last_;
  std::set<std::string> names_;
  double largest_;
  Doubles base_;
  double base_error_;
  std::optional<double> base_bound_;
};

}  // namespace

std::size_t storage_runs(const Problem& problem, PathKind form) { return 1 + kNarrow.size() * choices_of(problem, form).size(); }

void measure_storage(const BlockViews& of, PathKind form, CaseFindings& findings) {
  const Bench bench(of.views, form);
  for (const Choice& choice : choices_of(of.views.problem(), form)) {
    for (const scalar::Format format : kNarrow) findings.storage.push_back(bench.measure(choice, format));
  }
}

std::vector<report::StorageRow> storage_rows(const Problem& problem, const std::vector<StorageFigures>& figures,
                                             const Amplification& amplification) {
  std::vector<StorageFigures> whole;
  for (const StorageFigures& part : figures) {
    const auto same = [&](const StorageFigures& x) {
      return x.row.tensor == part.row.tensor && x.row.path == part.row.path && x.row.format == part.row.format;
    };
    const auto found = std::find_if(whole.begin(), whole.end(), same);
    found == whole.end() ? whole.push_back(part) : join(*found, part);
  }
  std::vector<report::StorageRow> rows;
  for (StorageFigures& one : whole) {
    const double largest = one.largest;
    const auto share = [&](double x) { return std::isinf(x) ? x : largest > 0 ? x / largest : 0; };
    const auto bound_share = [&](std::optional<double> x) { return x && largest > 0 ? std::optional(*x / largest) : std::nullopt; };
    report::StorageRow& row = one.row;
    row.base_error = share(row.base_error), row.error = share(row.error);
    row.base_bound = bound_share(row.base_bound), row.bound = bound_share(row.bound);
    row.moved = one.changed > 0 ? std::sqrt(row.moved / one.changed) : 0;
    predict(problem, amplification, row);
    rows.push_back(std::move(row));
  }
  // Tensors in the order of the choices, forms side by side.
  std::map<std::string, std::size_t> place;
  for (const Choice& choice : choices(problem)) place.emplace(choice.name, place.size());
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const report::StorageRow& a, const report::StorageRow& b) { return place.at(a.tensor) < place.at(b.tensor); });
  return rows;
}

std::vector<report::CacheRow> cache_rows(const std::vector<report::CaseReport>& cases) {
  std::vector<Problem> problems;
  for (const Index groups : {8, 16, 128}) {
    Problem paper;
    paper.name = groups == 8 ? "r 512, 8 groups" : groups == 16 ? "r 512, 16 groups (slice of 8)" : "r 512, 128 groups (whole model)";
    paper.groups = groups, paper.heads = std::max<Index>(groups, paper.heads);
    problems.push_back(paper);
  }
  for (const report::CaseReport& one : cases) {
    const Problem& problem = one.result.problem;
    if (problem.is_mla() && problem::norm_traits(problem).normed) problems.push_back(problem);
  }
  std::vector<report::CacheRow> rows;
  for (const Problem& problem : problems) {
    for (const scalar::Format format : {scalar::kBf16, scalar::kFp32}) {
      const problem::CacheCost cost = problem::cache_cost(problem, format);
      rows.push_back({problem.name, scalar::to_string(problem.precision.storage), scalar::to_string(format), problem.groups, cost.latent,
                      cost.rope, cost.alpha});
    }
  }
  return rows;
}

}  // namespace equinorm::commands
