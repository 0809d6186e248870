#include "commands/report_amplification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bounds/linear.hpp"
#include "bounds/sources.hpp"
#include "commands/arithmetics.hpp"
#include "commands/run_form.hpp"
#include "paths/load_inputs.hpp"
#include "paths/scale_value.hpp"
#include "problem/norm_traits.hpp"
#include "problem/scale.hpp"

namespace equinorm::commands {
namespace {

using bounds::LogitTerms;
using bounds::OutputTerms;
using paths::PathKind;
using problem::Problem;
using tensor::Index;
using tensor::Tensor;

constexpr Index kHeads = 16;
constexpr Index kLargestKeys = Index{1} << 24;

/// Inputs as they are.
struct AsIs {
  using Value = double;
  double input(double x) const { return x; }
  double table(double x) const { return x; }
};

/// What one problem's terms are summed from, in binary64.
struct Runs {
  const Problem& problem;
  const paths::PathInputs<double>& in;
  Doubles expl, absorbed;

  double alpha_k(Index b, Index t, Index g) const {
    const auto found = absorbed.find("alpha_k");
    return found == absorbed.end() ? 1 : *found->second.row(b, t, problem.key_statistics() == 1 ? 0 : g);
  }
  double alpha_q(Index b, Index s, Index h) const {
    const auto found = absorbed.find("alpha_q");
    return found == absorbed.end() ? 1 : *found->second.row(b, s, h);
  }
};

/// One group's cached latents (mla) or deferred keys, and its values.
struct Group {
  Tensor<double> cached;  ///< c [T,r]; gqa: k_hat / alpha_k [T,d]
  Tensor<double> v;       ///< c W_V, or the input's
};

Group group_of(const Runs& runs, const bounds::Sources& sources, Index b, Index g) {
  const Problem& pb = runs.problem;
  const Index tokens = pb.context_of(b);
  Group group{{}, Tensor<double>({tokens, pb.value_dim})};
  if (pb.is_mla()) {
    group.cached = sources.c.value;
    group.v = bounds::multiply(group.cached, runs.in.at("w_v").row(g), pb.value_dim);
    return group;
  }
  group.cached = Tensor<double>({tokens, pb.key_dim()});
  for (Index t = 0; t < tokens; ++t) {
    const double* k_hat = runs.expl.at("k_hat").row(b, t, g);
    for (Index j = 0; j < pb.key_dim(); ++j) group.cached.row(t)[j] = k_hat[j] / runs.alpha_k(b, t, g);
    std::copy_n(sources.v.value.row(t * pb.groups + g), pb.value_dim, group.v.row(t));
  }
  return group;
}

/// Means over a row's tokens, weighted with p.
struct Means {
  std::vector<double> k_hat, cached;
};

Means means_of(const Runs& runs, const Group& group, Index b, Index g, Index width, const double* p) {
  Means means{std::vector<double>(static_cast<std::size_t>(width)), std::vector<double>(static_cast<std::size_t>(group.cached.dim(1)))};
  for (Index t = 0; t < group.cached.dim(0); ++t) {
    const double* k_hat = runs.expl.at("k_hat").row(b, t, g);
    const double alpha = p[t] * runs.alpha_k(b, t, g);
    for (Index j = 0; j < width; ++j) means.k_hat[static_cast<std::size_t>(j)] += p[t] * k_hat[j];
    for (Index i = 0; i < group.cached.dim(1); ++i) means.cached[static_cast<std::size_t>(i)] += alpha * group.cached.row(t)[i];
  }
  return means;
}

void add_head(const Runs& runs, const Group& group, Index b, Index h, Amplification& sums) {
  const Problem& pb = runs.problem;
  const Index g = pb.group_of(h), tokens = pb.context_of(b), width = pb.is_mla() ? pb.content_dim : pb.key_dim();
  const Tensor<double>&q_hat = runs.expl.at("q_hat"), &k_hat = runs.expl.at("k_hat");
  std::vector<double> q_raw(static_cast<std::size_t>(group.cached.dim(1)));
  for (Index s = 0; s < pb.queries; ++s) {
    const double *logits = runs.absorbed.at("logits").row(b, h, s), *p = runs.absorbed.at("p").row(b, h, s);
    const double alpha_q = runs.alpha_q(b, s, h), *q = q_hat.row(b, s, h);
    // alpha_q is inside what meets the cache: the centre is then that of alpha_k times the cached row.
    for (std::size_t i = 0; i < q_raw.size(); ++i) q_raw[i] = pb.is_mla() ? alpha_q * runs.absorbed.at("q_tilde").row(b, s, h)[i] : q[i];
    const Means means = means_of(runs, group, b, g, width, p);
    const bounds::Centre centre{means.k_hat.data(), means.cached.data()};
    for (Index t = 0; t < tokens; ++t) {
      if (std::isinf(logits[t])) continue;
      sums.content += bounds::logit_terms(width, q, k_hat.row(b, t, g), group.cached.dim(1), q_raw.data(), group.cached.row(t),
                                          runs.alpha_k(b, t, g), &centre);
      sums.whole += bounds::logit_terms(pb.key_dim(), q, k_hat.row(b, t, g), 0, nullptr, nullptr, 0);
    }
    const double* u = pb.is_mla() ? runs.absorbed.at("u").row(b, s, h) : nullptr;
    sums.output += bounds::output_terms(pb.is_mla() ? pb.latent : 0, pb.value_dim, tokens, u,
                                        pb.is_mla() ? runs.in.at("w_v").row(g) : nullptr, p, group.v.data());
  }
}

double unit(scalar::Format format) { return std::ldexp(1.0, -format.precision); }

}  // namespace

bool too_many_keys(const Problem& problem) {
  return problem.batch * problem.max_context() * problem.groups * problem.key_dim() > kLargestKeys;
}

std::vector<std::string> amplification_notes(const Problem& problem) {
  if (too_many_keys(problem)) return {"No amplification factor: the keys are too many to be kept at once."};
  if (problem.heads <= kHeads) return {};
  return {fmt::format("Amplification factors are averages over {} of {} heads.", kHeads, problem.heads)};
}

Amplification measure_amplification(const StorageViews& views, const Problem& whole, const inputs::Block& block) {
  const Problem& pb = views.problem();
  Amplification sums;
  sums.scale = scalar::to_double(paths::scale_value(problem::softmax_scale(pb), 64));
  const Index count = std::min(kHeads, whole.heads);
  std::vector<Index> heads;
  for (Index i = 0; i < count; ++i) {
    const Index h = i * whole.heads / count - block.first_head;
    if (h >= 0 && h < pb.heads) heads.push_back(h);
  }
  if (too_many_keys(whole) || heads.empty()) return sums;
  paths::Plan plan = find_arithmetic("fp64", pb).plan;
  plan.fold_alpha_q = false;
  const tensor::TensorMap& inputs = views.given().inputs;
  const paths::PathInputs<double> in = paths::load_inputs(AsIs{}, pb, inputs);
  const bounds::Setting at(pb, plan, PathKind::absorbed_form);
  const Runs runs{pb, in, run_form(PathKind::explicit_form, plan, pb, inputs, {"q_hat", "k_hat"}),
                  run_form(PathKind::absorbed_form, plan, pb, inputs, {"q_tilde", "alpha_k", "alpha_q", "logits", "p", "u"})};
  for (Index b = 0; b < pb.batch; ++b) {
    const bounds::Sources sources = bounds::make_sources(at, in, b);
    Index last_group = -1;
    Group group;
    for (const Index h : heads) {
      if (pb.group_of(h) != last_group) last_group = pb.group_of(h), group = group_of(runs, sources, b, last_group);
      add_head(runs, group, b, h, sums);
    }
  }
  return sums;
}

void predict(const Problem& problem, const Amplification& sums, report::StorageRow& row) {
  if (!(sums.content.count > 0)) return;
  const double u = unit(row.format);
  const bool absorbed = row.path == "absorbed", capped = problem.softcap.to_double() != 0;
  bounds::StoredOperands stored;
  stored.q_tilde = row.tensor == "q_tilde", stored.g = row.tensor == "g", stored.alpha = row.tensor == "alpha_k";
  if (absorbed && (stored.q_tilde || stored.g || stored.alpha)) {
    row.kappa_w = bounds::kappa_w(sums.content, stored), row.kappa_2 = bounds::kappa_2(sums.content, stored);
    row.kappa_centred = bounds::kappa_centred(sums.content, stored);
  }
  const bool both_blocks = stored.alpha && problem::norm_traits(problem).spans_rope;
  if ((stored.q_tilde || stored.g || (stored.alpha && !both_blocks)) && !capped) {
    row.predicted = sums.scale * bounds::predicted_logit_rms(sums.content, stored, u);
  } else if (both_blocks && !capped) {
    row.predicted = sums.scale * bounds::predicted_rms(sums.whole.square_logit, sums.whole.count, u);
  } else if (row.tensor == "q_hat, k_hat" && !capped) {
    row.predicted = sums.scale * bounds::predicted_rms(2 * sums.whole.square_explicit, sums.whole.count, u);
  } else if (row.tensor == "p") {
    row.predicted = bounds::predicted_rms(sums.output.square_centred, sums.output.count, u);
  } else if (row.tensor == "v") {
    row.predicted = bounds::predicted_rms(sums.output.square_value, sums.output.count, u);
  } else if (row.tensor == "u") {
    row.predicted = bounds::predicted_rms(sums.output.square_latent, sums.output.count, u);
    row.kappa_v = bounds::kappa_v(sums.output);
  }
}

}  // namespace equinorm::commands
