// One case of a precision report.
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/exact_checks.hpp"
#include "commands/measure_paths.hpp"
#include "commands/reference.hpp"
#include "commands/report_parts.hpp"
#include "commands/sensitivity.hpp"
#include "inputs/load.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;

/// Larger tensors (keys of long contexts) are left out of the stage tables.
constexpr problem::Index kLargestTensor = problem::Index{1} << 24;

std::vector<std::string> formats_of(const ReportOptions& asked) {
  if (!asked.formats.empty()) return asked.formats;
  std::vector<std::string> names;
  for (const auto& [name, description] : arithmetic_names()) names.push_back(name);
  return names;
}

/// Every output that is not too large to keep.
std::set<std::string> tensors_to_measure(const Problem& problem, std::vector<std::string>& notes) {
  std::set<std::string> names;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    const problem::Index size = tensor::element_count(spec.shape);
    if (size <= kLargestTensor || spec.name == "logits") {
      names.insert(spec.name);
    } else {
      notes.push_back(fmt::format("{} has {} elements and was left out", spec.name, size));
    }
  }
  return names;
}

report::Histogram histogram_of(const tensor::Tensor<double>& values, const verdict::ReferenceTensor& exact, scalar::Format format) {
  report::Histogram histogram;
  histogram.format = format;
  for (tensor::Index i = 0; i < values.size(); ++i) {
    ++histogram.elements;
    const double error = std::fabs((values[i] - exact.value[i]) - exact.low[i]);
    if (!std::isfinite(error)) {
      ++histogram.nonfinite;
      continue;
    }
    // What lies below 2^-20 ulp is beyond the reference's own last digits.
    const double ulp = verdict::unit_in_last_place(format, exact.value[i]);
    const double ratio = ulp > 0 ? error / ulp : 0;
    if (ratio < 0x1p-20) {
      ++histogram.exact;
    } else {
      ++histogram.counts[std::ilogb(ratio)];
    }
  }
  return histogram;
}

void measure_stages(StorageViews& views, const ReportOptions& asked, const std::set<std::string>& names, const Step& step,
                    report::CaseReport& result) {
  const Problem& problem = views.problem();
  const std::string last = last_output(problem);
  for (const std::string& format : formats_of(asked)) {
    step(problem.name + ": " + format);
    NamedArithmetic arithmetic = find_arithmetic(format, problem);
    // q_tilde is a tensor of its own only where alpha_q is applied to the score tile.
    arithmetic.plan.fold_alpha_q = false;
    measure_paths(arithmetic, views, names, result.result, [&](paths::PathKind form, const Doubles& out) {
      report::Histogram histogram = histogram_of(out.at(last), views.given().reference.at(last), format_of_output(arithmetic.plan, last));
      histogram.arithmetic = format, histogram.tensor = last;
      histogram.path = form == paths::PathKind::explicit_form ? "explicit" : "absorbed";
      result.histograms.push_back(std::move(histogram));
    });
  }
}

}  // namespace

std::string last_output(const Problem& problem) { return problem.model_dim > 0 ? "y" : problem.output_gate ? "o_gated" : "o"; }

std::int64_t report_case_steps(const ReportOptions& asked) {
  return 5 + static_cast<std::int64_t>(formats_of(asked).size()) + kStorageSteps + (asked.sensitivity ? 1 : 0);
}

report::CaseReport report_case(const std::string& case_text, const ReportOptions& asked, const Options& options, const Step& step) {
  const auto start = std::chrono::steady_clock::now();
  const Problem problem = problem_of(case_text, options);
  report::CaseReport result;
  verdict::CaseResult& run = result.result;
  run.problem = problem;
  run.reproduce = reproduction_line("verify", case_text, options, {});
  step(problem.name + ": inputs");
  const tensor::TensorMap inputs = inputs::make_inputs(problem);
  step(problem.name + ": prime field");
  run.checks.push_back(prime_field_check(problem, ""));
  step(problem.name + ": rationals");
  run.checks.push_back(rational_check(problem, ""));
  step(problem.name + ": precision ladder");
  run.checks.push_back(ladder_check(problem, inputs, ""));
  step(problem.name + ": reference");
  const std::set<std::string> names = tensors_to_measure(problem, run.notes);
  ReferenceResult reference = certified_reference(problem, inputs, names);
  run.reference = reference.description;
  StorageViews views(problem, {inputs, std::move(reference.tensors)}, names);
  measure_stages(views, asked, names, step, result);
  measure_rules(views, run);
  measure_storage(views, step, result);
  if (asked.sensitivity) {
    step(problem.name + ": wrong forms");
    Sensitivity wrong_forms(problem, inputs);
    for (const paths::Mutant* mutant : mutants_of(problem)) run.sensitivity.push_back(wrong_forms.row(*mutant));
  }
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace equinorm::commands
