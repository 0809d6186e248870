// Stage tables and histograms of a block.
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/measure_paths.hpp"
#include "commands/report_parts.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;

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

}  // namespace

std::string last_output(const Problem& problem) { return problem.model_dim > 0 ? "y" : problem.output_gate ? "o_gated" : "o"; }

void measure_stages(const BlockViews& of, const std::string& name, const std::set<std::string>& names, CaseFindings& findings) {
  const Problem& problem = of.views.problem();
  const std::string last = last_output(problem);
  const verdict::Reference& reference = of.views.given().reference;
  NamedArithmetic arithmetic = find_arithmetic(name, problem);
  // q_tilde is a tensor of its own only where alpha_q is applied to the score tile.
  arithmetic.plan.fold_alpha_q = false;
  const auto observe = [&](paths::PathKind form, const Doubles& out) {
    report::Histogram histogram = histogram_of(out.at(last), reference.at(last), format_of_output(arithmetic.plan, last));
    histogram.arithmetic = name, histogram.tensor = last;
    histogram.path = form == paths::PathKind::explicit_form ? "explicit" : "absorbed";
    findings.found.histograms.push_back(std::move(histogram));
  };
  measure_paths(arithmetic, of.views, names, findings.found.result, observe, of.block);
  if (of.block.whole()) return;
  for (const auto& [tensor, exact] : reference) findings.max_exact[tensor] = verdict::largest_finite(exact.value);
}

}  // namespace equinorm::commands
