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

bool sees_nothing(const problem::Problem& problem, Index b, Index query) {
  if (problem.context_of(b) == 0) return true;
  return problem.mask.kind != problem::MaskKind::none && problem.query_position(b, query) < 0;
}

}  // namespace

bool is_exempt(const kernels::Declaration& declaration, const problem::Problem& problem, const problem::TensorSpec& spec, Index flat) {
  const Index b = along(spec.shape, 0, flat);
  const std::size_t tokens = token_axis(spec.name, spec.shape);
  if (tokens < spec.shape.size() && along(spec.shape, tokens, flat) >= problem.context_of(b)) return true;
  const bool is_row_output = spec.name == "u" || spec.name == "o" || spec.name == "o_gated";
  return is_row_output && !declaration.empty_row_is_zero && sees_nothing(problem, b, along(spec.shape, 1, flat));
}

void clear_exempt(const kernels::Declaration& declaration, const problem::Problem& problem, const problem::TensorSpec& spec,
                  tensor::AnyTensor& got) {
  if (problem.context.size() == 1 && declaration.empty_row_is_zero) return;
  const std::size_t bytes = tensor::size_of(got.dtype());
  std::byte* to = got.mutable_bytes();
  for (Index i = 0; i < got.size(); ++i) {
    if (is_exempt(declaration, problem, spec, i)) std::memset(to + static_cast<std::size_t>(i) * bytes, 0, bytes);
  }
}

verdict::ErrorRow judge_output(const kernels::Declaration& declaration, const problem::Problem& problem, const kernels::Passed& passed,
                               const tensor::AnyTensor& got, const verdict::ReferenceTensor& exact, const bounds::Bounds& bounds) {
  const std::string& name = passed.spec.name;
  verdict::ErrorRow row;
  row.arithmetic = scalar::to_string(problem.precision.storage) + "/" + scalar::to_string(problem.precision.accumulate);
  row.path = problem::to_string(declaration.form);
  row.tensor = name;
  row.format = tensor::format_of(got.dtype());
  Tensor<double> values(got.shape());
  got.read(0, got.size(), values.data());
  const bool is_lse = name == "lse", base_two = is_lse && declaration.lse_base_two;
  const auto bound = bounds.find(name);
  Tensor<double> allowed = bound == bounds.end() ? Tensor<double>() : bound->second;
  const bounds::Rounding storing(row.format, problem.precision.ftz);
  for (Index i = 0; i < values.size(); ++i) {
    if (is_exempt(declaration, problem, passed.spec, i)) {
      values[i] = exact.value[i];
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
  row.error = verdict::measure(values, exact, row.format);
  if (!allowed.empty()) {
    apply_bound(verdict::judge(values, exact, {std::move(allowed), {}, 0}), Unbounded::undecided, row);
  } else if (row.error.nonfinite > 0) {
    row.verdict = verdict::Verdict::nonfinite;
    row.detail = fmt::format("{} of {} elements", row.error.nonfinite, row.error.elements);
  }
  return row;
}

}  // namespace equinorm::commands
