#include "commands/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>

#include "commands/check_judge.hpp"
#include "commands/reference.hpp"

namespace equinorm::commands {
namespace {

using kernels::Passed;
using kernels::Trace;
using problem::Index;
using verdict::ExactCheck;
using verdict::Verdict;

constexpr int kBits = 320;
/// Lines that are tried one by one, those with the largest sums of errors.
constexpr std::size_t kLinesTried = 16;

/// ln 2 = kLn2High + kLn2Low to 106 bits.
constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;

/// (high, low) ln 2.
std::pair<double, double> times_ln2(double high, double low) {
  const double product = high * kLn2High;
  const double rest = std::fma(high, kLn2High, -product) + (high * kLn2Low + low * kLn2High);
  return {product, rest};
}

/// One output of a run: value or shadow, as high + low.
using Numbers = std::pair<tensor::Tensor<double>, tensor::Tensor<double>>;

tensor::Tensor<double> read_all(const tensor::AnyTensor& from) {
  tensor::Tensor<double> values(from.shape());
  from.read(0, from.size(), values.data());
  return values;
}

/// `at` becomes the worst element.
ExactCheck check_of(const kernels::Declaration& declaration, const Exemptions& exemptions, const problem::TensorSpec& spec,
                    const verdict::ReferenceTensor& exact, const Numbers& shadow, Index& at) {
  const bool base_two = spec.name == "lse" && declaration.lse_base_two;
  double largest = 0, worst = 0;
  Index lost = 0;
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

const char* const kConstants = "stored constants, arguments and inputs";

class Explain {
 public:
  Explain(kernels::Runner& runner, const OpenAgain& open_again, kernels::Request request, const kernels::PassedTensors& passed,
          const problem::Problem& problem)
      : runner_(runner),
        open_again_(open_again),
        request_(std::move(request)),
        passed_(passed),
        problem_(problem),
        exemptions_(runner.declaration(), problem, request_.inputs) {}

  Explained run(const tensor::TensorMap& inputs) {
    const auto start = std::chrono::steady_clock::now();
    std::set<std::string> names;
    for (const Passed& tensor : passed_.outputs) names.insert(tensor.spec.name);
    for (const Passed& tensor : passed_.inputs) {
      if (tensor.handed_over) names.insert(tensor.spec.name);
    }
    exact_ = precise_reference(problem_, inputs, names, kBits);
    for (const Passed& tensor : passed_.inputs) {
      if (!tensor.handed_over) continue;
      const verdict::ReferenceTensor& value = exact_.at(tensor.spec.name);
      request_.exact_inputs.emplace(tensor.spec.name, std::pair{value.value, value.low});
    }
    request_.shadows = true;
    base_ = runner_.run(request_);
    for (const kernels::RunFinding& finding : base_.findings) explained_.notes.push_back(finding.text);
    compare();
    for (ExactCheck& check : explained_.checks)
      check.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (base_.status == kernels::RunStatus::ok && !base_.shadows.empty()) attribute();
    return std::move(explained_);
  }

 private:
  /// Each output beside the formula; the first that departs is traced to the lines that made it.
  void compare() {
    for (const Passed& tensor : passed_.outputs) {
      const std::string& name = tensor.spec.name;
      const bool ran = base_.status == kernels::RunStatus::ok;
      if (const auto shadow = base_.shadows.find(name); ran && shadow != base_.shadows.end()) {
        Index worst = -1;
        explained_.checks.push_back(check_of(runner_.declaration(), exemptions_, tensor.spec, exact_.at(name), shadow->second, worst));
        if (explained_.checks.back().verdict == Verdict::different && !explanation_.departure) trace_departure(tensor, worst);
      } else {
        ExactCheck check;
        check.method = "rounding removed";
        check.scope = fmt::format("{}: not decided: {}", name, ran ? "values without rounding need --device virtual" : base_.detail);
        explained_.checks.push_back(std::move(check));
      }
    }
  }

  void trace_departure(const Passed& tensor, Index element) {
    kernels::Request request = request_;
    request.shadows = false;
    request.trace.asks = {{tensor.spec.name, element}};
    verdict::Departure departure{tensor.spec.name, tensor::index_string(tensor.spec.shape, element), "an unknown line", "",
                                 "an unknown thread"};
    for (const Trace& trace : runner_.run(request).traces) {
      if (trace.kind == Trace::Kind::write) departure.written = trace.place, departure.computed = trace.made, departure.thread = trace.text;
    }
    explanation_.departure = std::move(departure);
  }

  /// Runs once more for each line, with its roundings alone kept: by how much the outputs then move is what reaches them.
  void attribute() {
    explanation_.arithmetic = arithmetic();
    std::vector<verdict::RoundingLine> lines;
    for (const Trace& trace : base_.traces) {
      if (trace.kind == Trace::Kind::branch) explanation_.branches.push_back({trace.place, trace.count});
      if (trace.kind == Trace::Kind::line && trace.sum > 0 && lines.size() < kLinesTried)
        lines.push_back({trace.place, trace.count, trace.largest_ulp, trace.sum, 0});
    }
    lines.push_back({kConstants, 0, 0, 0, 0});
    for (const Passed& tensor : passed_.outputs) {
      const auto shadow = base_.shadows.find(tensor.spec.name);
      const auto value = base_.outputs.find(tensor.spec.name);
      if (shadow == base_.shadows.end() || value == base_.outputs.end()) continue;
      left_.push_back(difference(tensor.spec, read_all(value->second), nullptr, shadow->second));
      explanation_.rounding.push_back({tensor.spec.name, largest(left_.back()), largest_of(tensor.spec, shadow->second.first), 0, {}});
    }
    try_lines(lines);
    for (std::size_t row = 0; row < explanation_.rounding.size(); ++row) {
      explanation_.rounding[row].rest = largest(left_[row]);
      std::vector<verdict::RoundingLine>& all = explanation_.rounding[row].lines;
      std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.reaches > b.reaches; });
    }
    explained_.explanation = std::move(explanation_);
  }

  /// As many at once as there are runners; taken in the order of the lines.
  void try_lines(const std::vector<verdict::RoundingLine>& lines) {
    const auto wanted = std::min(static_cast<std::size_t>(std::max(request_.limits.threads, 1)), lines.size());
    std::vector<std::unique_ptr<kernels::Runner>> more;
    try {
      while (open_again_ != nullptr && more.size() + 1 < wanted) more.push_back(open_again_());
    } catch (const Error&) {
      // A machine that has no room for another process does with fewer.
    }
    const std::size_t at_once = more.size() + 1;
    for (std::size_t first = 0; first < lines.size(); first += at_once) {
      std::vector<std::future<kernels::Outcome>> runs;
      for (std::size_t i = first; i < std::min(first + at_once, lines.size()); ++i) {
        kernels::Runner& runner = i == first ? runner_ : *more[i - first - 1];
        runs.push_back(std::async(std::launch::async, [&runner, request = request_with(lines[i])] { return runner.run(request); }));
      }
      for (std::size_t i = 0; i < runs.size(); ++i) take_line(lines[first + i], runs[i].get());
    }
  }

  kernels::Request request_with(const verdict::RoundingLine& line) const {
    kernels::Request request = request_;
    if (line.place == kConstants)
      request.trace.exact_constants = false;
    else
      request.trace.rounding_at = line.place;
    return request;
  }

  void take_line(verdict::RoundingLine line, const kernels::Outcome& outcome) {
    if (outcome.status != kernels::RunStatus::ok) return;
    std::size_t row = 0;
    for (const Passed& tensor : passed_.outputs) {
      const std::string& name = tensor.spec.name;
      if (row == explanation_.rounding.size() || explanation_.rounding[row].tensor != name) continue;
      const Numbers& moved = outcome.shadows.at(name);
      const std::vector<double> effect = difference(tensor.spec, moved.first, &moved.second, base_.shadows.at(name));
      line.reaches = largest(effect);
      for (std::size_t i = 0; i < effect.size(); ++i) left_[row][i] -= effect[i];
      if (line.reaches > 0) explanation_.rounding[row].lines.push_back(line);
      ++row;
    }
  }

  /// high + low - shadow, 0 where one of them is not finite or the element is nobody's business.
  std::vector<double> difference(const problem::TensorSpec& spec, const tensor::Tensor<double>& high, const tensor::Tensor<double>* low,
                                 const Numbers& shadow) const {
    std::vector<double> result(static_cast<std::size_t>(high.size()));
    for (Index i = 0; i < high.size(); ++i) {
      if (!std::isfinite(high[i]) || !std::isfinite(shadow.first[i]) || exemptions_.holds(spec, i)) continue;
      result[static_cast<std::size_t>(i)] = (high[i] - shadow.first[i]) + ((low != nullptr ? (*low)[i] : 0.0) - shadow.second[i]);
    }
    return result;
  }

  static double largest(const std::vector<double>& values) {
    double most = 0;
    for (const double x : values) most = std::fmax(most, std::fabs(x));
    return most;
  }

  double largest_of(const problem::TensorSpec& spec, const tensor::Tensor<double>& values) const {
    double most = 0;
    for (Index i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i]) && !exemptions_.holds(spec, i)) most = std::fmax(most, std::fabs(values[i]));
    }
    return most;
  }

  /// What the run says of approximate functions and the like.
  std::string arithmetic() const {
    for (const kernels::RunFinding& finding : base_.findings) {
      const std::size_t at = finding.text.find("; ");
      if (finding.text.rfind("virtual GPU", 0) == 0 && at != std::string::npos) return finding.text.substr(at + 2);
    }
    return "";
  }

  kernels::Runner& runner_;
  const OpenAgain& open_again_;
  kernels::Request request_;
  const kernels::PassedTensors& passed_;
  const problem::Problem& problem_;
  const Exemptions exemptions_;
  verdict::Reference exact_;
  kernels::Outcome base_;
  verdict::Explanation explanation_;
  std::vector<std::vector<double>> left_;  // by row: value - value without rounding, less what the lines so far explain
  Explained explained_;
};

}  // namespace

Explained explain(kernels::Runner& runner, const OpenAgain& open_again, kernels::Request request, const kernels::PassedTensors& passed,
                  const problem::Problem& problem, const tensor::TensorMap& inputs) {
  return Explain(runner, open_again, std::move(request), passed, problem).run(inputs);
}

std::vector<verdict::OriginRow> origins(kernels::Runner& runner, kernels::Request request, const kernels::PassedTensors& passed,
                                        const verdict::Reference& exact, const kernels::Outcome& outcome) {
  std::vector<verdict::OriginRow> rows;
  if (!runner.has_shadows()) return rows;
  request.trace.origins = true;
  for (const Passed& tensor : passed.outputs) {
    const auto output = outcome.outputs.find(tensor.spec.name);
    if (output == outcome.outputs.end() || rows.size() >= static_cast<std::size_t>(kernels::kMaxAsks)) continue;
    const tensor::Tensor<double> values = read_all(output->second), &wanted = exact.at(tensor.spec.name).value;
    for (Index i = 0; i < values.size() && i < wanted.size(); ++i) {
      if (std::isfinite(values[i]) || !std::isfinite(wanted[i])) continue;
      rows.push_back({tensor.spec.name, tensor::index_string(tensor.spec.shape, i), "", ""});
      request.trace.asks.push_back({tensor.spec.name, i});
      break;
    }
  }
  if (rows.empty()) return rows;
  request.shadows = true;
  for (const Trace& trace : runner.run(request).traces) {
    if (trace.kind != Trace::Kind::origin || trace.count < 0 || trace.count >= static_cast<std::int64_t>(rows.size())) continue;
    verdict::OriginRow& row = rows[static_cast<std::size_t>(trace.count)];
    row.place = trace.place, row.origin = trace.text;
  }
  return rows;
}

}  // namespace equinorm::commands
