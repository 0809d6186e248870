#include "commands/report_amplification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "commands/arithmetics.hpp"
#include "commands/run_form.hpp"
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

Tensor<double> read(const tensor::AnyTensor& source) {
  Tensor<double> values(source.shape());
  source.read(0, source.size(), values.data());
  return values;
}

/// What one problem's terms are summed from.
struct Sources {
  const Problem& problem;
  Tensor<double> c, w_v;
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

/// v_t = c_t W_V of one group, [T, d_v].
Tensor<double> values_of(const Sources& in, Index b, Index g) {
  const Problem& pb = in.problem;
  Tensor<double> v({pb.context_of(b), pb.value_dim});
  for (Index t = 0; t < v.dim(0); ++t) {
    double* out = v.row(t);
    for (Index i = 0; i < pb.latent; ++i) {
      const double c = in.c.row(b, t)[i];
      const double* w = in.w_v.row(g, i);
      for (Index j = 0; j < pb.value_dim; ++j) out[j] += c * w[j];
    }
  }
  return v;
}

void add_head(const Sources& in, Index b, Index h, const Tensor<double>& v, Amplification& sums) {
  const Problem& pb = in.problem;
  const Index g = pb.group_of(h), tokens = pb.context_of(b);
  const Tensor<double>&q_hat = in.expl.at("q_hat"), &k_hat = in.expl.at("k_hat"), &q_tilde = in.absorbed.at("q_tilde");
  for (Index s = 0; s < pb.queries; ++s) {
    const double* logits = in.absorbed.at("logits").row(b, h, s);
    for (Index t = 0; t < tokens; ++t) {
      if (std::isinf(logits[t])) continue;
      const double alpha = in.alpha_k(b, t, g) * in.alpha_q(b, s, h);
      sums.content += bounds::logit_terms(pb.content_dim, q_hat.row(b, s, h), k_hat.row(b, t, g), pb.latent, q_tilde.row(b, s, h),
                                          in.c.row(b, t), alpha);
      sums.whole += bounds::logit_terms(pb.key_dim(), q_hat.row(b, s, h), k_hat.row(b, t, g), 0, nullptr, nullptr, 0);
    }
    sums.output += bounds::output_terms(pb.latent, pb.value_dim, tokens, in.absorbed.at("u").row(b, s, h), in.w_v.row(g),
                                        in.absorbed.at("p").row(b, h, s), v.data());
  }
}

double unit(scalar::Format format) { return std::ldexp(1.0, -format.precision); }

}  // namespace

Amplification measure_amplification(const StorageViews& views, std::vector<std::string>& notes) {
  const Problem& pb = views.problem();
  Amplification sums;
  sums.scale = scalar::to_double(paths::scale_value(problem::softmax_scale(pb), 64));
  if (!pb.is_mla()) {
    notes.emplace_back("No amplification factor: this problem has no latent.");
    return sums;
  }
  if (pb.start == problem::Start::x) {
    notes.emplace_back("No amplification factor: the path begins before the latents, at the hidden state.");
    return sums;
  }
  if (pb.batch * pb.max_context() * pb.groups * pb.key_dim() > kLargestKeys) {
    notes.emplace_back("No amplification factor: the keys are too many to be kept at once.");
    return sums;
  }
  paths::Plan plan = find_arithmetic("fp64", pb).plan;
  plan.fold_alpha_q = false;
  const tensor::TensorMap& inputs = views.given().inputs;
  const Sources in{pb, read(inputs.at("c")), read(inputs.at("w_v")),
                   run_form(PathKind::explicit_form, plan, pb, inputs, {"q_hat", "k_hat"}),
                   run_form(PathKind::absorbed_form, plan, pb, inputs, {"q_tilde", "alpha_k", "alpha_q", "logits", "p", "u"})};
  const Index count = std::min(kHeads, pb.heads);
  if (count < pb.heads) notes.push_back(fmt::format("Amplification factors are averages over {} of {} heads.", count, pb.heads));
  for (Index b = 0; b < pb.batch; ++b) {
    Index last_group = -1;
    Tensor<double> v;
    for (Index i = 0; i < count; ++i) {
      const Index h = i * pb.heads / count;
      if (pb.group_of(h) != last_group) last_group = pb.group_of(h), v = values_of(in, b, last_group);
      add_head(in, b, h, v, sums);
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
