#include "commands/reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <utility>

#include "oracle/oracle.hpp"
#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"

namespace equinorm::commands {
namespace {

using paths::Index;
using paths::PathKind;
using problem::Problem;
using tensor::Tensor;
using verdict::ReferenceTensor;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr int kFirstBits = 192;
constexpr int kLastBits = 12288;

/// Whether element `i` of a logits or lse tensor is a number; every other tensor's elements are.
template <class V>
bool is_number(const Problem& problem, const paths::PathOutput<V>& out, const std::string& name, Index i) {
  if (name == "lse") return out.lse_live[i] != 0;
  if (name != "logits") return true;
  const Index t = i % problem.max_context(), s = i / problem.max_context() % problem.queries;
  const Index b = i / (problem.max_context() * problem.queries * problem.heads);
  return *out.live.row(b, s, t) != 0;
}

/// Whether |exact - value| <= radius says enough.
bool is_narrow(double value, double radius) { return radius <= std::ldexp(std::fmax(1.0, std::fabs(value)), -50); }

ReferenceTensor convert_balls(const Problem& problem, const paths::PathOutput<scalar::Ball>& out, const std::string& name, bool& narrow) {
  const Tensor<scalar::Ball>& source = out.at(name);
  ReferenceTensor result{Tensor<double>(source.shape()), Tensor<double>(source.shape()), Tensor<double>(source.shape())};
  for (Index i = 0; i < source.size(); ++i) {
    if (!is_number(problem, out, name, i)) {
      result.value[i] = kMinusInfinity;
      continue;
    }
    const scalar::Enclosure enclosure = scalar::enclosure(source[i]);
    result.value[i] = enclosure.value;
    result.low[i] = enclosure.low;
    result.radius[i] = enclosure.radius;
    narrow = narrow && is_narrow(enclosure.value, enclosure.radius) && std::isfinite(enclosure.value);
  }
  return result;
}

/// Runs as few paths as it takes to see every output in `wanted` (empty: all), and hands each to keep(output, name) once.
template <class A, class Keep>
void collect_outputs(const A& ar, const Problem& problem, const tensor::TensorMap& inputs, const paths::Wanted& wanted, const Keep& keep) {
  const auto values = paths::load_inputs(ar, problem, inputs);
  const auto formula = paths::make_formula<A>("");
  paths::Wanted left;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (wanted.empty() || wanted.contains(spec.name)) left.insert(spec.name);
  }
  paths::Plan unfolded;
  unfolded.fold_alpha_q = false;  // q_tilde is defined without alpha_q
  for (const auto& [form, plan] : {std::pair{PathKind::explicit_form, paths::Plan{}}, std::pair{PathKind::absorbed_form, unfolded},
                                   std::pair{PathKind::absorbed_form, paths::Plan{}}}) {
    paths::Wanted defined;
    for (const problem::TensorSpec& spec : paths::outputs_of(form, problem, plan)) {
      if (left.contains(spec.name)) defined.insert(spec.name);
    }
    if (defined.empty()) continue;
    const auto out = paths::run_path(ar, form, problem, plan, values, *formula, defined);
    for (const std::string& name : defined) keep(out, name), left.erase(name);
  }
}

/// One attempt at `bits` bits; false where a radius is too wide.
bool enclose(const Problem& problem, const tensor::TensorMap& inputs, int bits, const paths::Wanted& wanted,
             verdict::Reference& reference) {
  bool narrow = true;
  collect_outputs(paths::BallArithmetic(bits), problem, inputs, wanted,
                  [&](const paths::PathOutput<scalar::Ball>& out, const std::string& name) {
                    reference.emplace(name, convert_balls(problem, out, name, narrow));
                  });
  return narrow;
}

/// Adds the tensors in `wanted`; returns the number of bits that it took.
int enclose_until_narrow(const Problem& problem, const tensor::TensorMap& inputs, const paths::Wanted& wanted,
                         verdict::Reference& reference) {
  for (int bits = kFirstBits; bits <= kLastBits; bits *= 4) {
    verdict::Reference balls;
    if (enclose(problem, inputs, bits, wanted, balls)) {
      reference.merge(balls);
      return bits;
    }
  }
  throw Error(fmt::format("{}: some exact output is not finite or not defined (norm.eps is {}; a zero row needs eps > 0)", problem.name,
                          problem.norm.eps.text()));
}

/// max low_radius / max(1, |value|); infinite where a radius is too wide. -inf has radius 0.
double widest_radius(const oracle::EnclosedTensor& tensor) {
  double widest = 0;
  for (Index i = 0; i < tensor.value.size(); ++i) {
    if (!is_narrow(tensor.value[i], tensor.radius[i])) return -kMinusInfinity;
    widest = std::fmax(widest, tensor.low_radius[i] / std::fmax(1.0, std::fabs(tensor.value[i])));
  }
  return widest;
}

}  // namespace

double work_of(const Problem& problem) {
  double total = 0;
  for (Index b = 0; b < problem.batch; ++b) {
    const double tokens = static_cast<double>(problem.context_of(b)), rows = static_cast<double>(problem.queries * problem.heads);
    const double g = static_cast<double>(problem.groups), r = static_cast<double>(problem.latent),
                 d = static_cast<double>(problem.key_dim());
    const double d_v = static_cast<double>(problem.value_dim), hidden = static_cast<double>(problem.model_dim);
    if (problem.is_mla()) total += tokens * g * r * (2 * static_cast<double>(problem.content_dim) + d_v);
    total += rows * tokens * (d + d_v) + (problem.is_mla() ? 2 * rows * tokens * r : 0);
    if (problem.start == problem::Start::x) total += tokens * hidden * (problem.is_mla() ? r : g * (d + d_v)) + rows * hidden * d;
    total += rows * d_v * hidden;
  }
  return total;
}

verdict::Reference precise_reference(const Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& names,
                                     int bits) {
  verdict::Reference reference;
  enclose(problem, inputs, bits, {names.begin(), names.end()}, reference);
  return reference;
}

ReferenceResult certified_reference(const Problem& problem, const tensor::TensorMap& inputs, const std::set<std::string>& names) {
  std::set<std::string> wanted, wide;
  for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
    if (names.empty() || names.contains(spec.name)) wanted.insert(spec.name);
  }
  ReferenceResult result;
  double widest = 0;
  for (auto& [name, tensor] : oracle::enclose(problem, inputs, wanted)) {
    const double radius = widest_radius(tensor);
    if (std::isinf(radius)) {
      wide.insert(name);
      continue;
    }
    widest = std::fmax(widest, radius);
    result.tensors.emplace(name, ReferenceTensor{std::move(tensor.value), std::move(tensor.low), std::move(tensor.radius)});
  }
  if (wide.size() < wanted.size()) {
    result.description =
        widest > 0 ? fmt::format("certified enclosures (oracle, radius at most 2^{:.0f} max(1, |x|))", std::ceil(std::log2(widest)))
                   : "certified enclosures (oracle, exact)";
  }
  if (!wide.empty()) {
    const int bits = enclose_until_narrow(problem, inputs, wide, result.tensors);
    result.description += fmt::format("{}certified enclosures (ball arithmetic of {} bits: {})", result.description.empty() ? "" : "; ",
                                      bits, fmt::join(wide, ", "));
  }
  return result;
}

}  // namespace equinorm::commands
