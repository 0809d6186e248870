#include "commands/run_form.hpp"

#include <limits>

#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/real_arithmetic.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::commands {
namespace {

using paths::Index;
using paths::PathKind;
using paths::Plan;
using problem::Problem;
using tensor::Tensor;

double as_double(float x) { return x; }
double as_double(double x) { return x; }
double as_double(const scalar::Real& x) { return scalar::to_double(x); }

/// Outputs as doubles, -inf where there is no number.
template <class V>
Doubles converted(const Problem& problem, const paths::PathOutput<V>& out, const std::set<std::string>& names) {
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  Doubles result;
  for (const auto& [name, source] : out.tensors) {
    if (!names.contains(name)) continue;
    Tensor<double> values(source.shape());
    for (Index i = 0; i < source.size(); ++i) values[i] = as_double(source[i]);
    if (name == "lse") {
      for (Index i = 0; i < source.size(); ++i) values[i] = out.lse_live[i] != 0 ? values[i] : kMinusInfinity;
    }
    if (name == "logits") {
      Index i = 0;
      for (Index b = 0; b < problem.batch; ++b) {
        for (Index h = 0; h < problem.heads; ++h) {
          for (Index s = 0; s < problem.queries; ++s) {
            for (Index t = 0; t < problem.max_context(); ++t, ++i) values[i] = *out.live.row(b, s, t) != 0 ? values[i] : kMinusInfinity;
          }
        }
      }
    }
    result.emplace(name, std::move(values));
  }
  return result;
}

bool fits_float(const Plan& plan) {
  const auto narrow = [](scalar::Format f) { return f.kind != scalar::FormatKind::real && f.precision <= scalar::kFp32.precision; };
  return narrow(plan.precision.storage) && narrow(plan.precision.accumulate) && narrow(plan.precision.statistics);
}

}  // namespace

Doubles to_doubles(const Problem& problem, const paths::PathOutput<double>& out, const std::set<std::string>& names) {
  return converted(problem, out, names);
}

Doubles run_form(PathKind form, const Plan& plan, const Problem& problem, const tensor::TensorMap& inputs,
                 const std::set<std::string>& names, const std::string& mutant) {
  const auto run = [&](const auto& ar) {
    using A = std::decay_t<decltype(ar)>;
    const auto values = paths::load_inputs(ar, problem, inputs);
    return converted(problem, paths::run_path(ar, form, problem, plan, values, *paths::make_formula<A>(mutant), names), names);
  };
  const problem::Precision& precision = plan.precision;
  if (precision.accumulate.kind == scalar::FormatKind::real || precision.storage.kind == scalar::FormatKind::real) {
    return run(paths::RealArithmetic(precision.accumulate.precision, plan));
  }
  if (fits_float(plan)) return run(paths::RoundedArithmetic<float>(plan));
  return run(paths::RoundedArithmetic<double>(plan));
}

}  // namespace equinorm::commands
