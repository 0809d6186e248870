#include "commands/known_faults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "bounds/rounding.hpp"
#include "commands/arithmetics.hpp"
#include "commands/closed_forms.hpp"
#include "commands/reference.hpp"
#include "commands/run_form.hpp"
#include "commands/sensitivity.hpp"
#include "commands/where_wrong.hpp"
#include "paths/mutants.hpp"
#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

using paths::PathKind;
using problem::MaskKind;
using problem::Problem;
using tensor::Index;

/// Another problem whose right form a kernel may have computed on the same inputs.
struct Reading {
  const char* id;
  const char* sentence;
  bool (*applies)(const Problem&);
  void (*change)(Problem&);
};

bool every_query_sees(const Problem& p) {
  for (Index b = 0; b < p.batch; ++b) {
    if (p.context_of(b) < p.queries) return false;
  }
  return true;
}

const std::vector<Reading>& readings() {
  static const std::vector<Reading> all{
      {"scale-missing", "logits not scaled at all", [](const Problem& p) { return !p.scale || !(*p.scale == scalar::Decimal("1")); },
       [](Problem& p) { p.scale = scalar::Decimal("1"); }},
      {"softcap-missing", "logits not soft-capped", [](const Problem& p) { return !p.softcap.is_zero(); },
       [](Problem& p) { p.softcap = scalar::Decimal("0"); }},
      {"mask-missing", "no mask", [](const Problem& p) { return p.mask.kind != MaskKind::none && every_query_sees(p); },
       [](Problem& p) {
         p.mask = {MaskKind::none, 0};
       }},
      {"window-missing", "causal mask without its window", [](const Problem& p) { return p.mask.kind == MaskKind::window; },
       [](Problem& p) {
         p.mask = {MaskKind::causal, 0};
       }},
      {"norm-missing", "neither queries nor keys normalised, nor their weights applied",
       [](const Problem& p) { return problem::norm_traits(p).normed; }, [](Problem& p) { p.norm.scheme = problem::NormScheme::none; }},
      {"weights-missing", "norm weights applied to neither queries nor keys",
       [](const Problem& p) { return problem::norm_traits(p).normed && p.norm.weight != problem::NormWeight::none; },
       [](Problem& p) { p.norm.weight = problem::NormWeight::none; }},
      {"rms-for-l2", "mean of squares for their sum",
       [](const Problem& p) { return problem::norm_traits(p).normed && p.norm.kind == problem::NormKind::l2; },
       [](Problem& p) { p.norm.kind = problem::NormKind::rms; }},
      {"latent-norm-missing", "latents not normalised", [](const Problem& p) { return p.norm.latent_norm; },
       [](Problem& p) { p.norm.latent_norm = false; }},
      {"rope-part-swapped", "the other end of the head rotated",
       [](const Problem& p) { return !p.is_mla() && p.rotated_dim() > 0 && p.rotated_dim() < p.head_dim; },
       [](Problem& p) { p.rope.part = p.rope.part == problem::RopePart::last ? problem::RopePart::first : problem::RopePart::last; }}};
  return all;
}

/// What to do about a fault that a declaration cures.
std::string remedy(const paths::Mutant& mutant) {
  if (mutant.id == "lse-base-2") return "; declare \"lse_base\": \"2\", or multiply by ln(2)";
  if (mutant.adjust != nullptr && mutant.expects(paths::kPrecision)) return "; declare it under `precision`, or keep it wider";
  return "";
}

std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

/// Median of bound / |exact value| over the elements that have both.
double typical_part(const JudgedOutput& output, const tensor::Tensor<double>& exact) {
  std::vector<double> parts;
  for (Index i = 0; i < exact.size() && exact.shape() == output.bound.shape(); ++i) {
    if (std::isfinite(exact[i]) && exact[i] != 0 && std::isfinite(output.bound[i])) parts.push_back(output.bound[i] / std::fabs(exact[i]));
  }
  if (parts.empty()) return 0;
  const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(parts.size() / 2);
  std::nth_element(parts.begin(), middle, parts.end());
  return *middle;
}

class KnownFaults {
 public:
  KnownFaults(const Problem& problem, const tensor::TensorMap& inputs, const verdict::Reference& exact,
              const std::vector<JudgedOutput>& outputs, std::vector<std::string>& notes)
      : problem_(problem), inputs_(inputs), exact_(exact), outputs_(outputs), notes_(notes) {
    for (JudgedOutput& output : outputs_) {
      names_.insert(output.name);
      if (exact.contains(output.name)) output.relative = typical_part(output, exact.at(output.name).value);
    }
  }

  std::vector<verdict::FaultRow> run() {
    if (std::none_of(outputs_.begin(), outputs_.end(), [](const JudgedOutput& output) { return output.fails; })) return {};
    const std::vector<const paths::Mutant*> wrong = mutants_of(problem_);
    const double work = work_of(problem_) * static_cast<double>(2 * wrong.size());
    const bool small = work <= kKnownFaultWork;
    if (small) {
      choose_form();
      for (const paths::Mutant* mutant : wrong) run([&] { run_mutant(*mutant); });
      for (const Reading& reading : readings()) run([&] { run_reading(reading); });
    } else {
      notes_.push_back(
          fmt::format("known faults not run, only simple relations tried: {:.1e} multiply-adds, allowed {:.0e}; a smaller "
                      "--context, --batch or --heads that fails too shows more",
                      work, kKnownFaultWork));
    }
    simple_relations(small);
    if (rows_.empty()) unexplained(small);
    std::stable_sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; });
    return std::move(rows_);
  }

 private:
  /// A form that these formats or inputs have no arithmetic for explains nothing.
  template <class Form>
  void run(const Form& form) {
    try {
      form();
    } catch (const Error&) {
    }
  }

  bool fails(const std::string& name) const {
    return std::any_of(outputs_.begin(), outputs_.end(), [&](const JudgedOutput& o) { return o.fails && o.name == name; });
  }

  /// The absorbed form, unless only the explicit one has what fails; alpha_q where it leaves the failing tensors to be seen.
  void choose_form() {
    form_ = fails("q_hat") || fails("k_hat") ? PathKind::explicit_form : PathKind::absorbed_form;
    folds_ = problem::norm_traits(problem_).spans_rope && fails("q_rope_hat");
  }

  paths::Plan plan(const char* arithmetic) const {
    paths::Plan plan = find_arithmetic(arithmetic, problem_).plan;
    plan.fold_alpha_q = folds_;
    return plan;
  }

  /// Stored tensors that are rounded on the way make a declared run the closer one; where its own rounding errors are large, the one
  /// without them is.
  void run_mutant(const paths::Mutant& mutant) {
    ++tried_;
    const std::string sentence = std::string(mutant.fault) + remedy(mutant);
    const bool other_function = mutant.expects(paths::kExact) || mutant.expects(paths::kReal);
    for (const std::string_view formula : {mutant.id, mutant.variant}) {
      if (formula.empty()) continue;
      for (const char* arithmetic : {"declared", "fp64"}) {
        if (!other_function && arithmetic != std::string_view("declared")) continue;
        paths::Plan chosen = plan(arithmetic), formats = plan("declared");
        if (mutant.adjust != nullptr) mutant.adjust(problem_, chosen), mutant.adjust(problem_, formats);
        if (explains(problem_, chosen, formats, std::string(formula), std::string(mutant.id), sentence, !other_function)) return;
      }
    }
  }

  void run_reading(const Reading& reading) {
    if (!reading.applies(problem_)) return;
    ++tried_;
    Problem other = problem_;
    reading.change(other);
    for (const char* arithmetic : {"declared", "fp64"}) {
      if (explains(other, plan(arithmetic), plan("declared"), "", reading.id, reading.sentence)) return;
    }
  }

  /// `rounds`: the fault is a rounding; where it is not met to the last bit, it may leave a part of the error.
  bool explains(const Problem& problem, const paths::Plan& plan, const paths::Plan& formats, const std::string& mutant,
                const std::string& id, const std::string& sentence, bool rounds = false) {
    const Doubles faulty = run_form(form_, plan, problem, inputs_, names_, mutant);
    std::vector<std::string> explained;
    double distance = 0;
    for (const JudgedOutput& output : outputs_) {
      const auto found = faulty.find(output.name);
      if (found == faulty.end()) continue;
      std::optional<double> here = distance_to(output, found->second, 1, format_of_output(formats, output.name));
      if (!here && rounds && exact_.contains(output.name)) here = part_left(output, found->second, exact_.at(output.name).value);
      if (!here) return false;
      distance = std::max(distance, *here);
      if (output.fails) explained.push_back(output.name);
    }
    if (explained.empty()) return false;
    rows_.push_back({id, sentence, listed(explained), distance});
    return true;
  }

  /// Where the wrong elements lie is then all that can be said.
  void unexplained(bool small) {
    std::string note = small ? fmt::format("no known fault fits: {} forms tried, and simple relations", tried_) : "";
    for (const JudgedOutput& output : outputs_) {
      if (!output.fails || !exact_.contains(output.name)) continue;
      const std::string place = where_wrong(output, exact_.at(output.name).value);
      if (!place.empty()) note += (note.empty() ? "" : "; ") + place;
    }
    if (!note.empty()) notes_.push_back(std::move(note));
  }

  void simple_relations(bool small) {
    verdict::Reference exact = exact_;
    const bool more = (fails("q_tilde") && problem::norm_traits(problem_).normed) || fails("o_gated");
    if (more && small) {
      for (auto& [name, reference] : certified_reference(problem_, inputs_, {"alpha_q", "o"}).tensors)
        exact.try_emplace(name, std::move(reference));
    }
    for (const JudgedOutput& output : outputs_) {
      if (!output.fails || !exact.contains(output.name)) continue;
      for (verdict::FaultRow& row : closed_forms(problem_, output, exact)) rows_.push_back(std::move(row));
    }
  }

  const Problem& problem_;
  const tensor::TensorMap& inputs_;
  const verdict::Reference& exact_;
  std::vector<JudgedOutput> outputs_;
  std::vector<std::string>& notes_;
  std::set<std::string> names_;
  PathKind form_ = PathKind::absorbed_form;
  bool folds_ = false;
  Index tried_ = 0;
  std::vector<verdict::FaultRow> rows_;
};

}  // namespace

std::optional<double> distance_to(const JudgedOutput& output, const tensor::Tensor<double>& faulty, double grown,
                                  std::optional<scalar::Format> stored) {
  if (faulty.shape() != output.values.shape()) return std::nullopt;
  const bounds::Rounding storing(output.format, false), narrower(stored.value_or(scalar::kFp64), false);
  double largest = 0;
  for (Index i = 0; i < faulty.size(); ++i) {
    const double got = output.values[i], wrong = faulty[i], bound = output.bound[i];
    if (!std::isfinite(bound)) continue;
    if (!std::isfinite(wrong) || !std::isfinite(got)) {
      if (got == wrong || (std::isnan(got) && std::isnan(wrong))) continue;
      return std::nullopt;
    }
    const double spread = grown * std::max(bound, output.relative * std::fabs(wrong));
    const double allowed = spread + storing.half_ulp(std::fabs(wrong)) + 2 * narrower.half_ulp(std::fabs(wrong)),
                 ratio = std::fabs(got - wrong) / allowed;
    if (!(ratio <= 1 && std::isfinite(allowed))) return std::nullopt;
    largest = std::max(largest, ratio);
  }
  return largest;
}

std::optional<double> part_left(const JudgedOutput& output, const tensor::Tensor<double>& faulty, const tensor::Tensor<double>& exact) {
  constexpr double kPart = 0.25;
  if (faulty.shape() != output.values.shape() || exact.shape() != output.values.shape()) return std::nullopt;
  double left = 0, error = 0;
  for (Index i = 0; i < faulty.size(); ++i) {
    const double got = output.values[i], wrong = faulty[i], bound = output.bound[i];
    if (!std::isfinite(bound) || (bound == 0 && got == wrong)) continue;
    if (!std::isfinite(wrong) || !std::isfinite(got)) {
      if (got == wrong || (std::isnan(got) && std::isnan(wrong))) continue;
      return std::nullopt;
    }
    if (!std::isfinite(exact[i])) return std::nullopt;
    left += (got - wrong) / bound * ((got - wrong) / bound);
    error += (got - exact[i]) / bound * ((got - exact[i]) / bound);
  }
  const double part = std::sqrt(left / error) / kPart;
  return part <= 1 ? std::optional(part) : std::nullopt;
}

std::vector<verdict::FaultRow> known_faults(const Problem& problem, const tensor::TensorMap& inputs, const verdict::Reference& exact,
                                            const std::vector<JudgedOutput>& outputs, std::vector<std::string>& notes) {
  return KnownFaults(problem, inputs, exact, outputs, notes).run();
}

}  // namespace equinorm::commands
