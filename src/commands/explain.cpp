#include "commands/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "commands/check_judge.hpp"
#include "commands/reference.hpp"

namespace equinorm::commands {
namespace {

using kernels::Passed;
using problem::Index;
using verdict::ExactCheck;
using verdict::Verdict;

constexpr int kBits = 320;

/// ln 2 = kLn2High + kLn2Low to 106 bits.
constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;

/// (high, low) ln 2.
std::pair<double, double> times_ln2(double high, double low) {
  const double product = high * kLn2High;
  const double rest = std::fma(high, kLn2High, -product) + (high * kLn2Low + low * kLn2High);
  return {product, rest};
}

ExactCheck check_of(const kernels::Declaration& declaration, const Exemptions& exemptions, const problem::TensorSpec& spec,
                    const verdict::ReferenceTensor& exact, const std::pair<tensor::Tensor<double>, tensor::Tensor<double>>& shadow) {
  const bool base_two = spec.name == "lse" && declaration.lse_base_two;
  double largest = 0, worst = 0;
  Index at = -1, lost = 0;
  ExactCheck check;
  check.method = "rounding removed";
  for (Index i = 0; i < exact.value.size(); ++i) {
    // Masked logits and the lse of nothing have no shadow to compare.
    if (!std::isfinite(exact.value[i]) || exemptions.holds(spec, i)) continue;
    if (std::isnan(shadow.first[i])) {
      ++lost;
      continue;
    }
    ++check.elements;
    const auto [high, low] = base_two ? times_ln2(shadow.first[i], shadow.second[i]) : std::pair{shadow.first[i], shadow.second[i]};
    const double error = std::fabs((high - exact.value[i]) + (low - exact.low[i]));
    largest = std::fmax(largest, std::fabs(exact.value[i]));
    if (!(error <= worst)) worst = error, at = i;
  }
  const double bits = worst == 0 ? 106 : std::floor(std::log2(largest / worst));
  if (check.elements == 0) {
    check.scope = fmt::format("{}: not decided: no element has a value without rounding", spec.name);
  } else if (bits >= kAgreeingBits && lost == 0) {
    check.verdict = Verdict::equal;
    check.scope = fmt::format("{} equals the formula to {:.0f} bits with rounding removed", spec.name, bits);
  } else if (lost > 0) {
    check.scope = fmt::format("{}: not decided: {} elements lost their value without rounding, the others agree to {:.0f} bits", spec.name,
                              lost, std::fmax(0.0, bits));
  } else {
    check.verdict = Verdict::different;
    check.scope = fmt::format("{}{} differs from the formula: {:.17g} with rounding removed, exact {:.17g} ({:.0f} bits agree)", spec.name,
                              tensor::index_string(spec.shape, at), shadow.first[at], exact.value[at], std::fmax(0.0, bits));
  }
  return check;
}

}  // namespace

std::vector<ExactCheck> explain(kernels::Runner& runner, kernels::Request request, const kernels::PassedTensors& passed,
                                const problem::Problem& problem, const tensor::TensorMap& inputs, std::vector<std::string>& notes) {
  const auto start = std::chrono::steady_clock::now();
  std::set<std::string> names;
  for (const Passed& tensor : passed.outputs) names.insert(tensor.spec.name);
  for (const Passed& tensor : passed.inputs) {
    if (tensor.handed_over) names.insert(tensor.spec.name);
  }
  const verdict::Reference exact = precise_reference(problem, inputs, names, kBits);
  for (const Passed& tensor : passed.inputs) {
    if (!tensor.handed_over) continue;
    const verdict::ReferenceTensor& value = exact.at(tensor.spec.name);
    request.exact_inputs.emplace(tensor.spec.name, std::pair{value.value, value.low});
  }
  request.shadows = true;
  const kernels::Outcome outcome = runner.run(request);
  for (const kernels::RunFinding& finding : outcome.findings) {
    if (std::find(notes.begin(), notes.end(), finding.text) == notes.end()) notes.push_back(finding.text);
  }
  std::vector<ExactCheck> checks;
  const Exemptions exemptions(runner.declaration(), problem, request.inputs);
  for (const Passed& tensor : passed.outputs) {
    const std::string& name = tensor.spec.name;
    const bool ran = outcome.status == kernels::RunStatus::ok;
    if (const auto shadow = outcome.shadows.find(name); ran && shadow != outcome.shadows.end()) {
      checks.push_back(check_of(runner.declaration(), exemptions, tensor.spec, exact.at(name), shadow->second));
    } else {
      ExactCheck check;
      check.method = "rounding removed";
      check.scope = fmt::format("{}: not decided: {}", name, ran ? "values without rounding need --device virtual" : outcome.detail);
      checks.push_back(std::move(check));
    }
    checks.back().seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return checks;
}

}  // namespace equinorm::commands
