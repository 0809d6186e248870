#include "commands/check_judge.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "bounds/rounding.hpp"
#include "commands/apply_bound.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;
using tensor::Tensor;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// Outputs whose format no entry of `precision` speaks of: what storing them adds is the declared dtype's half ulp.
bool stored_freely(const std::string& name) { return name == "y" || name == "o_gated" || name == "lse" || name == "alpha_q"; }

/// Position of a flat index along `axis`.
Index along(const tensor::Shape& shape, std::size_t axis, Index flat) {
  for (std::size_t a = shape.size(); a-- > axis + 1;) flat /= shape[a];
  return flat % shape[axis];
}

/// Axis of the tokens, or none.
std::size_t token_axis(const std::string& name, const tensor::Shape& shape) {
  if (name == "logits" || name == "p") return 3;
  if (name.starts_with("alpha_k") || name.starts_with("k_")) return 1;
  return shape.size();
}

bool is_row_output(const std::string& name) { return name == "u" || name == "o" || name == "o_gated"; }
bool is_rotated_query(const std::string& name) { return name == "q_hat" || name == "q_rope_hat"; }

bool sees_nothing(const problem::Problem& problem, Index b, Index query) {
  if (problem.context_of(b) == 0) return true;
  return problem.mask.kind != problem::MaskKind::none && problem.query_position(b, query) < 0;
}

}  // namespace

verdict::Verdict verdict_of(kernels::RunStatus status) {
  using kernels::RunStatus;
  using verdict::Verdict;
  switch (status) {
    case RunStatus::ok:
      return Verdict::kept;
    case RunStatus::unsupported:
      return Verdict::skipped;
    case RunStatus::failed:
      return Verdict::failed;
    case RunStatus::crashed:
      return Verdict::crashed;
    case RunStatus::timed_out:
      return Verdict::timed_out;
    case RunStatus::out_of_memory:
      return Verdict::out_of_memory;
    case RunStatus::protocol:
      return Verdict::misbehaved;
    case RunStatus::wrong_shape:
      return Verdict::wrong_shape;
    case RunStatus::wrote_out_of_bounds:
      return Verdict::out_of_bounds;
    case RunStatus::changed_input:
      return Verdict::changed_input;
    case RunStatus::unwritten:
      return Verdict::unwritten;
  }
  return Verdict::misbehaved;
}

Exemptions::Exemptions(const kernels::Declaration& declaration, const problem::Problem& problem, const tensor::TensorMap& inputs)
    : declaration_(declaration), problem_(problem) {
  if (problem.rotated_dim() == 0) return;
  const auto given = inputs.find("positions_q");
  std::vector<std::int64_t> positions;
  if (given != inputs.end()) {
    positions.resize(static_cast<std::size_t>(given->second.size()));
    given->second.read_integers(0, given->second.size(), positions.data());
  } else {
    for (Index b = 0; b < problem.batch; ++b) {
      for (Index i = 0; i < problem.queries; ++i) positions.push_back(problem.query_position(b, i));
    }
  }
  for (const std::int64_t position : positions) {
    before_first_.push_back(position < 0);
    any_before_first_ = any_before_first_ || position < 0;
  }
}

bool Exemptions::holds(const problem::TensorSpec& spec, Index flat) const {
  const Index b = along(spec.shape, 0, flat);
  const std::size_t tokens = token_axis(spec.name, spec.shape);
  if (tokens < spec.shape.size() && along(spec.shape, tokens, flat) >= problem_.context_of(b)) return true;
  if (is_rotated_query(spec.name) && any_before_first_)
    return before_first_[static_cast<std::size_t>(b * problem_.queries + along(spec.shape, 1, flat))];
  return is_row_output(spec.name) && !declaration_.empty_row_is_zero && sees_nothing(problem_, b, along(spec.shape, 1, flat));
}

double exempt_bound(const verdict::ReferenceTensor& exact, Index flat) {
  return 0x1p20 * (std::fabs(exact.low[flat]) + (exact.radius.empty() ? 0 : exact.radius[flat]));
}

bool Exemptions::any(const std::string& name) const {
  return problem_.context.size() > 1 || (is_row_output(name) && !declaration_.empty_row_is_zero) ||
         (is_rotated_query(name) && any_before_first_);
}

void Exemptions::clear(const problem::TensorSpec& spec, tensor::AnyTensor& got) const {
  if (!any(spec.name)) return;
  const std::size_t bytes = tensor::size_of(got.dtype());
  tensor::AnyTensor cleared;  // `got` may be a view of what is not ours to write
  for (Index i = 0; i < got.size(); ++i) {
    if (!holds(spec, i)) continue;
    if (cleared.bytes() == nullptr) {
      cleared = tensor::AnyTensor(got.dtype(), got.shape());
      std::memcpy(cleared.mutable_bytes(), got.bytes(), got.byte_size());
    }
    std::memset(cleared.mutable_bytes() + static_cast<std::size_t>(i) * bytes, 0, bytes);
  }
  if (cleared.bytes() != nullptr) got = std::move(cleared);
}

namespace {

/// A kernel's numbers in the house's conventions, and how far each may be; `allowed` is empty where there are no bounds.
struct Conventional {
  Tensor<double> values, allowed;
};

Conventional conventional(const kernels::Declaration& declaration, const problem::Problem& problem, const Exemptions& exemptions,
                          const kernels::Passed& passed, const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact,
                          const bounds::Bounds& bounds) {
  const std::string& name = passed.spec.name;
  Tensor<double> values(got.shape());
  got.read(0, got.size(), values.data());
  const bool is_lse = name == "lse", base_two = is_lse && declaration.lse_base_two;
  const auto bound = bounds.find(name);
  Tensor<double> allowed = bound == bounds.end() ? Tensor<double>() : bound->second;
  const bounds::Rounding storing(tensor::format_of(got.dtype()), problem.precision.ftz);
  for (Index i = 0; i < values.size(); ++i) {
    if (exemptions.holds(passed.spec, i)) {
      values[i] = exact.value[i];
      // Where nothing is wanted there may be no bound either.
      if (!allowed.empty() && !std::isfinite(allowed[i])) allowed[i] = exempt_bound(exact, i);
      continue;
    }
    if (is_lse && exact.value[i] == kMinusInfinity) {
      if (values[i] == declaration.empty_row_lse)
        values[i] = kMinusInfinity;
      else if (values[i] == kMinusInfinity)
        values[i] = -kMinusInfinity;  // -inf where another value was promised
      continue;
    }
    if (!allowed.empty() && stored_freely(name) && std::isfinite(exact.value[i])) {
      const double unit = base_two ? std::numbers::ln2 : 1;
      allowed[i] += unit * storing.half_ulp((std::fabs(exact.value[i]) + allowed[i]) / unit) + 0x1p-50 * std::fabs(exact.value[i]);
    }
    if (base_two) values[i] *= std::numbers::ln2;
  }
  return {std::move(values), std::move(allowed)};
}

}  // namespace

verdict::ErrorRow judge_output(const kernels::Declaration& declaration, const problem::Problem& problem, const Exemptions& exemptions,
                               const kernels::Passed& passed, const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact,
                               const bounds::Bounds& bounds) {
  verdict::ErrorRow row;
  row.arithmetic = scalar::to_string(problem.precision.storage) + "/" + scalar::to_string(problem.precision.accumulate);
  row.path = problem::to_string(declaration.form);
  row.tensor = passed.spec.name;
  row.format = tensor::format_of(got.dtype());
  auto [values, allowed] = conventional(declaration, problem, exemptions, passed, got, exact, bounds);
  row.error = verdict::measure(values, exact, row.format);
  Index exempt = 0;
  for (Index i = 0; i < values.size(); ++i) exempt += exemptions.holds(passed.spec, i) ? 1 : 0;
  if (exempt == values.size()) {
    row.verdict = verdict::Verdict::undecided;
    row.detail = "it has no element whose value matters";
  } else if (!allowed.empty()) {
    apply_bound(verdict::judge(values, exact, {std::move(allowed), {}, 0}), Unbounded::undecided, row);
  } else if (row.error.nonfinite > 0) {
    row.verdict = verdict::Verdict::nonfinite;
    row.detail = fmt::format("{} of {} elements", row.error.nonfinite, row.error.elements);
  } else {
    row.verdict = verdict::Verdict::undecided;
    row.detail = "there are no bounds for the declared arithmetic";
  }
  return row;
}

std::vector<JudgedOutput> judged_outputs(const kernels::Declaration& declaration, const problem::Problem& problem,
                                         const Exemptions& exemptions, const std::vector<kernels::Passed>& passed,
                                         const tensor::TensorMap& got, const verdict::Reference& exact, const bounds::Bounds& bounds) {
  std::vector<JudgedOutput> outputs;
  for (const kernels::Passed& tensor : passed) {
    const std::string& name = tensor.spec.name;
    const auto found = got.find(name);
    if (found == got.end() || !bounds.contains(name)) continue;
    Conventional numbers = conventional(declaration, problem, exemptions, tensor, found->second, exact.at(name), bounds);
    for (Index i = 0; i < numbers.values.size(); ++i) {
      if (exemptions.holds(tensor.spec, i)) numbers.allowed[i] = bounds::kInfinity;
    }
    const verdict::ErrorRow row = judge_output(declaration, problem, exemptions, tensor, found->second, exact.at(name), bounds);
    outputs.push_back({name, row.format, std::move(numbers.values), std::move(numbers.allowed), fails(row.verdict)});
  }
  return outputs;
}

}  // namespace equinorm::commands
