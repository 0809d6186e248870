#include "kernels/stages.hpp"

#include <algorithm>
#include <set>

#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using Names = std::vector<std::string>;

/// Reads and writes of one stage, whether or not the problem has every tensor.
struct Traffic {
  Names reads, writes;
};

Traffic mla_traffic(Stage stage, bool absorbed) {
  switch (stage) {
    case Stage::project:
      return {{"x", "w_dkv", "w_kr", "w_dq", "w_uq", "gamma_kv_latent", "gamma_q_latent"}, {"c", "k_rope", "q_content", "q_rope"}};
    case Stage::cache_write:
      // The gammas of the keys are part of q_tilde in the absorbed form, but the RoPE block has its own, and a statistic needs none.
      if (absorbed)
        return {{"c", "k_rope", "w_k", "gamma_k", "gamma_rk", "rope_cos", "rope_sin", "positions_k"}, {"alpha_k", "k_rope_cached"}};
      return {{"c", "k_rope", "w_k", "gamma_k", "gamma_ck", "gamma_rk", "rope_cos", "rope_sin", "positions_k"}, {"k_hat", "alpha_k"}};
    case Stage::query:
      if (absorbed) {
        return {
            {"q_content", "q_rope", "w_k", "gamma_q", "gamma_k", "gamma_cq", "gamma_ck", "gamma_rq", "rope_cos", "rope_sin", "positions_q"},
            {"alpha_q", "q_tilde", "q_rope_hat"}};
      }
      return {{"q_content", "q_rope", "gamma_q", "gamma_cq", "gamma_rq", "rope_cos", "rope_sin", "positions_q"}, {"q_hat", "alpha_q"}};
    case Stage::score:
      if (absorbed) return {{"c", "alpha_k", "k_rope_cached", "alpha_q", "q_tilde", "q_rope_hat"}, {"logits"}};
      return {{"k_hat", "q_hat"}, {"logits"}};
    case Stage::softmax:
      return {{"logits", "sink"}, {"p", "lse"}};
    case Stage::value:
      if (absorbed) return {{"p", "c"}, {"u"}};
      return {{"p", "c", "w_v"}, {"o"}};
    case Stage::output:
      if (absorbed) return {{"u", "w_v", "gate", "w_o"}, {"o", "o_gated", "y"}};
      return {{"o", "gate", "w_o"}, {"o_gated", "y"}};
  }
  return {};
}

Traffic gqa_traffic(Stage stage, bool deferred) {
  switch (stage) {
    case Stage::project:
      return {{"x", "w_q", "w_k", "w_v"}, {"q", "k", "v"}};
    case Stage::cache_write:
      if (deferred) return {{"k", "gamma_k", "rope_cos", "rope_sin", "positions_k"}, {"alpha_k", "k_deferred"}};
      return {{"k", "gamma_k", "rope_cos", "rope_sin", "positions_k"}, {"k_hat", "alpha_k"}};
    case Stage::query:
      return {{"q", "gamma_q", "rope_cos", "rope_sin", "positions_q"}, {"q_hat", "alpha_q"}};
    case Stage::score:
      if (deferred) return {{"alpha_k", "k_deferred", "q_hat"}, {"logits"}};
      return {{"k_hat", "q_hat"}, {"logits"}};
    case Stage::softmax:
      return {{"logits", "sink"}, {"p", "lse"}};
    case Stage::value:
      return {{"p", "v"}, {"o"}};
    case Stage::output:
      return {{"o", "gate", "w_o"}, {"o_gated", "y"}};
  }
  return {};
}

}  // namespace

StageTensors tensors_of(const Problem& problem, PathKind form, StageRun run, Index table_rows) {
  if (run.last < run.first) throw Error("stages are not in data-flow order; allowed: " + problem::words_of(kStageNames));
  if (run.first == Stage::project && problem.start != problem::Start::x)
    throw Error("stage 'project' needs a problem that starts at x; this one starts at latent");
  const bool absorbed = form == PathKind::absorbed_form;
  const auto traffic = [&](Stage stage) { return problem.is_mla() ? mla_traffic(stage, absorbed) : gqa_traffic(stage, absorbed); };
  std::set<std::string> reads, written;
  for (std::size_t at = static_cast<std::size_t>(run.first); at <= static_cast<std::size_t>(run.last); ++at) {
    const Traffic here = traffic(static_cast<Stage>(at));
    for (const std::string& name : here.reads) {
      if (!written.contains(name)) reads.insert(name);
    }
    written.insert(here.writes.begin(), here.writes.end());
  }
  StageTensors tensors;
  const std::vector<problem::TensorSpec> outputs = problem::output_tensors(problem);
  if (table_rows == 0) table_rows = problem::default_table_rows(problem);
  for (problem::TensorSpec spec : problem::input_tensors(problem, table_rows)) {
    if (!reads.contains(spec.name)) continue;
    // Positions matter where something turns.
    if (spec.role == problem::Role::positions && problem.rotated_dim() == 0) continue;
    spec.optional = false;
    tensors.inputs.push_back(spec);
    reads.erase(spec.name);
  }
  for (const problem::TensorSpec& spec : outputs) {
    if (reads.contains(spec.name)) tensors.handed_over.push_back(spec), reads.erase(spec.name);
    if (written.contains(spec.name)) tensors.outputs.push_back(spec);
  }
  if (problem.start == problem::Start::x && run.first != Stage::project) {
    for (const Names projected = traffic(Stage::project).writes; const std::string& name : projected) {
      if (reads.contains(name)) {
        throw Error("stages from " + problem::name_of(kStageNames, run.first) + " on need '" + name +
                    "', which a problem that starts at x does not hold; allowed: begin with project, or a problem that starts at latent");
      }
    }
  }
  return tensors;
}

}  // namespace equinorm::kernels
