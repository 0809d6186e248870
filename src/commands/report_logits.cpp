// Logit control: no norm, QK-Clip and QK-norm under growing weights.
#include <fmt/format.h>

#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/report_parts.hpp"
#include "commands/run_form.hpp"
#include "inputs/generate.hpp"
#include "paths/scale_value.hpp"
#include "problem/builtin.hpp"
#include "problem/scale.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::Index;
using tensor::TensorMap;

/// tau: the threshold of the paper's 400M model.
constexpr double kThreshold = 100;
constexpr int kLastPower = 8;

Problem base_problem(problem::NormScheme scheme) {
  Problem problem = problem::find_builtin("paper-tp8").value();
  problem.heads = problem.groups = 4;
  problem.context = {512};
  problem.norm.scheme = scheme;
  return problem;
}

/// The tensor in fp64, the part [h, h + 1) of `parts` equal ones along its `axis` multiplied by factors[h].
void multiply(TensorMap& inputs, const std::string& name, std::size_t axis, const std::vector<double>& factors) {
  const tensor::AnyTensor& source = inputs.at(name);
  std::vector<double> values(static_cast<std::size_t>(source.size()));
  source.read(0, source.size(), values.data());
  Index inner = 1;
  for (std::size_t i = axis + 1; i < source.shape().size(); ++i) inner *= source.shape()[i];
  const auto parts = static_cast<Index>(factors.size());
  for (Index i = 0; i < source.size(); ++i) values[static_cast<std::size_t>(i)] *= factors[static_cast<std::size_t>(i / inner % parts)];
  tensor::AnyTensor result(tensor::DType::f64, source.shape());
  result.write(0, result.size(), values.data());
  inputs[name] = result;
}

/// Both weights times `factor`: queries are what W_Q makes, keys what W_K and W_KR make.
TensorMap grown(const TensorMap& inputs, double factor) {
  TensorMap result = inputs;
  for (const char* name : {"q_content", "q_rope", "w_k", "k_rope"}) multiply(result, name, 0, {factor});
  return result;
}

/// Largest |logit| of each head.
std::vector<double> largest_logits(const Problem& problem, const TensorMap& inputs) {
  const paths::Plan plan = find_arithmetic("fp64", problem).plan;
  const tensor::Tensor<double> logits = run_form(paths::PathKind::explicit_form, plan, problem, inputs, {"logits"}).at("logits");
  std::vector<double> most(static_cast<std::size_t>(problem.heads));
  const Index inner = problem.queries * problem.max_context();
  for (Index i = 0; i < logits.size(); ++i) {
    double& of_head = most[static_cast<std::size_t>(i / inner % problem.heads)];
    if (std::isfinite(logits[i])) of_head = std::fmax(of_head, std::fabs(logits[i]));
  }
  return most;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double x : values) most = std::fmax(most, x);
  return most;
}

/// QK-Clip (MuonClip of Kimi K2): with gamma_h = min(1, tau / max |logit| of head h) the content weights of query and key are multiplied by
/// sqrt(gamma_h) each, the RoPE weights of the query by gamma_h; the RoPE key is shared by all heads and stays.
TensorMap clipped(const TensorMap& inputs, const std::vector<double>& seen) {
  std::vector<double> whole, root;
  for (const double logit : seen) {
    whole.push_back(logit > kThreshold ? kThreshold / logit : 1);
    root.push_back(std::sqrt(whole.back()));
  }
  TensorMap result = inputs;
  multiply(result, "q_content", 2, root);
  multiply(result, "q_rope", 2, whole);
  multiply(result, "w_k", 0, root);
  return result;
}

/// |l| <= scale (d_c max |gamma_cq gamma_ck| + d_r max |gamma_rq| max |gamma_rk|): normalised blocks have norm at most sqrt of their width
/// (appendix D); a rotation moves each RoPE weight within its pair, so both maxima are taken apart.
double limit_of_norm(const Problem& problem, const TensorMap& inputs) {
  const auto at = [&](const char* name, Index i) { return std::fabs(inputs.at(name).at(i)); };
  double content = 0, rope_q = 0, rope_k = 0;
  for (Index j = 0; j < problem.content_dim; ++j) content = std::fmax(content, at("gamma_cq", j) * at("gamma_ck", j));
  for (Index j = 0; j < problem.rope_dim; ++j) rope_q = std::fmax(rope_q, at("gamma_rq", j)), rope_k = std::fmax(rope_k, at("gamma_rk", j));
  const double scale = scalar::to_double(paths::scale_value(problem::softmax_scale(problem), 64));
  return scale * (static_cast<double>(problem.content_dim) * content + static_cast<double>(problem.rope_dim) * rope_q * rope_k);
}

}  // namespace

report::LogitControl logit_control() {
  Problem bare = base_problem(problem::NormScheme::none), normed = base_problem(problem::NormScheme::blockwise);
  const TensorMap seen = inputs::generate_inputs(bare), normed_inputs = inputs::generate_inputs(normed);
  // Other tokens under the same weights: what QK-Clip is judged on.
  Problem other = bare;
  other.inputs.seed = bare.inputs.seed + 1;
  TensorMap unseen = inputs::generate_inputs(other);
  unseen["w_k"] = seen.at("w_k"), unseen["w_v"] = seen.at("w_v");
  report::LogitControl control;
  control.threshold = kThreshold;
  control.norm_limit = limit_of_norm(normed, normed_inputs);
  control.setting = fmt::format("Normal inputs, {} heads, T {}, r {}, d_c {}, d_r {}, one query, computed in fp64.", bare.heads,
                                bare.max_context(), bare.latent, bare.content_dim, bare.rope_dim);
  for (int power = 0; power <= kLastPower; ++power) {
    const double factor = std::ldexp(1.0, power);
    const TensorMap large = grown(unseen, factor);
    report::LogitPoint point{factor, largest(largest_logits(bare, large)), 0, 0};
    point.clip = largest(largest_logits(bare, clipped(large, largest_logits(bare, grown(seen, factor)))));
    point.norm = largest(largest_logits(normed, grown(normed_inputs, factor)));
    control.points.push_back(point);
  }
  return control;
}

}  // namespace equinorm::commands
