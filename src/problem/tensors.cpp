#include "problem/tensors.hpp"

#include <algorithm>

#include "problem/norm_traits.hpp"

namespace equinorm::problem {
namespace {

using Specs = std::vector<TensorSpec>;

void add_mla_latent_start(const Problem& p, Specs& specs) {
  const Index tokens = p.max_context();
  specs.push_back({"c", {p.batch, tokens, p.latent}, Role::latent});
  if (p.rope_dim > 0) specs.push_back({"k_rope", {p.batch, tokens, p.rope_dim}, Role::key});
  specs.push_back({"q_content", {p.batch, p.queries, p.heads, p.content_dim}, Role::query});
  if (p.rope_dim > 0) specs.push_back({"q_rope", {p.batch, p.queries, p.heads, p.rope_dim}, Role::query});
}

void add_mla_x_start(const Problem& p, Specs& specs) {
  specs.push_back({"x", {p.batch, p.max_context(), p.model_dim}, Role::hidden});
  specs.push_back({"w_dkv", {p.model_dim, p.latent}, Role::weight});
  if (p.rope_dim > 0) specs.push_back({"w_kr", {p.model_dim, p.rope_dim}, Role::weight});
  if (p.query_latent > 0) specs.push_back({"w_dq", {p.model_dim, p.query_latent}, Role::weight});
  const Index query_source = p.query_latent > 0 ? p.query_latent : p.model_dim;
  specs.push_back({"w_uq", {query_source, p.heads * p.key_dim()}, Role::weight});
  if (p.norm.latent_norm) {
    specs.push_back({"gamma_kv_latent", {p.latent}, Role::gamma});
    if (p.query_latent > 0) specs.push_back({"gamma_q_latent", {p.query_latent}, Role::gamma});
  }
}

void add_gqa_sources(const Problem& p, Specs& specs) {
  const Index tokens = p.max_context();
  if (p.start == Start::x) {
    specs.push_back({"x", {p.batch, tokens, p.model_dim}, Role::hidden});
    specs.push_back({"w_q", {p.model_dim, p.heads * p.head_dim}, Role::weight});
    specs.push_back({"w_k", {p.model_dim, p.groups * p.head_dim}, Role::weight});
    specs.push_back({"w_v", {p.model_dim, p.groups * p.value_dim}, Role::weight});
  } else {
    specs.push_back({"q", {p.batch, p.queries, p.heads, p.head_dim}, Role::query});
    specs.push_back({"k", {p.batch, tokens, p.groups, p.head_dim}, Role::key});
    specs.push_back({"v", {p.batch, tokens, p.groups, p.value_dim}, Role::value});
  }
}

/// Weights of the QK-norm. A full-width norm has one per element, the others one per dim, shared by heads.
void add_gammas(const Problem& p, Specs& specs) {
  const NormTraits norm = norm_traits(p);
  if (!norm.normed || p.norm.weight == NormWeight::none) return;
  const bool wide = norm.over_all_heads;
  const Index query_heads = wide ? p.heads : 1;
  const Index key_heads = wide ? p.groups : 1;
  if (!p.is_mla() || norm.spans_rope) {
    specs.push_back({"gamma_q", {query_heads * p.key_dim()}, Role::gamma});
    specs.push_back({"gamma_k", {key_heads * p.key_dim()}, Role::gamma});
    return;
  }
  specs.push_back({"gamma_cq", {query_heads * p.content_dim}, Role::gamma});
  specs.push_back({"gamma_ck", {key_heads * p.content_dim}, Role::gamma});
  if (p.rope_dim > 0) {
    specs.push_back({"gamma_rq", {query_heads * p.rope_dim}, Role::gamma});
    specs.push_back({"gamma_rk", {p.rope_dim}, Role::gamma});  // one RoPE key per token, shared by all groups
  }
}

}  // namespace

std::vector<TensorSpec> input_tensors(const Problem& p, Index table_rows) {
  Specs specs;
  if (p.is_mla()) {
    (p.start == Start::x ? add_mla_x_start : add_mla_latent_start)(p, specs);
    specs.push_back({"w_k", {p.groups, p.latent, p.content_dim}, Role::weight});
    specs.push_back({"w_v", {p.groups, p.latent, p.value_dim}, Role::weight});
  } else {
    add_gqa_sources(p, specs);
  }
  add_gammas(p, specs);
  if (p.rotated_dim() > 0) {
    specs.push_back({"rope_cos", {table_rows, p.rotated_dim() / 2}, Role::rope_table});
    specs.push_back({"rope_sin", {table_rows, p.rotated_dim() / 2}, Role::rope_table});
  }
  specs.push_back({"positions_q", {p.batch, p.queries}, Role::positions, true});
  specs.push_back({"positions_k", {p.batch, p.max_context()}, Role::positions, true});
  if (p.sink) specs.push_back({"sink", {p.heads}, Role::sink});
  if (p.output_gate) specs.push_back({"gate", {p.batch, p.queries, p.heads * p.value_dim}, Role::gate});
  if (p.model_dim > 0) specs.push_back({"w_o", {p.heads * p.value_dim, p.model_dim}, Role::weight});
  return specs;
}

Index default_table_rows(const Problem& problem) { return std::max<Index>(1, problem.max_context()); }

std::vector<TensorSpec> output_tensors(const Problem& p) {
  const Index tokens = p.max_context();
  const bool normed = norm_traits(p).normed;
  Specs specs;
  if (normed) specs.push_back({"alpha_k", {p.batch, tokens, p.key_statistics()}, Role::key});
  if (p.is_mla() && p.rope_dim > 0) specs.push_back({"k_rope_cached", {p.batch, tokens, p.rope_dim}, Role::key});
  if (!p.is_mla()) specs.push_back({"k_deferred", {p.batch, tokens, p.groups, p.key_dim()}, Role::key});
  specs.push_back({"k_hat", {p.batch, tokens, p.groups, p.key_dim()}, Role::key});
  if (normed) specs.push_back({"alpha_q", {p.batch, p.queries, p.heads}, Role::query});
  if (p.is_mla()) specs.push_back({"q_tilde", {p.batch, p.queries, p.heads, p.latent}, Role::query});
  if (p.is_mla() && p.rope_dim > 0) specs.push_back({"q_rope_hat", {p.batch, p.queries, p.heads, p.rope_dim}, Role::query});
  specs.push_back({"q_hat", {p.batch, p.queries, p.heads, p.key_dim()}, Role::query});
  specs.push_back({"logits", {p.batch, p.heads, p.queries, tokens}, Role::hidden});
  specs.push_back({"lse", {p.batch, p.heads, p.queries}, Role::hidden});
  specs.push_back({"p", {p.batch, p.heads, p.queries, tokens}, Role::hidden, true});
  if (p.is_mla()) specs.push_back({"u", {p.batch, p.queries, p.heads, p.latent}, Role::latent});
  specs.push_back({"o", {p.batch, p.queries, p.heads, p.value_dim}, Role::hidden});
  if (p.output_gate) specs.push_back({"o_gated", {p.batch, p.queries, p.heads, p.value_dim}, Role::hidden});
  if (p.model_dim > 0) specs.push_back({"y", {p.batch, p.queries, p.model_dim}, Role::hidden});
  return specs;
}

}  // namespace equinorm::problem
