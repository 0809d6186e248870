// Outputs with one element or vector per token: alpha_k and the keys themselves.
#include "oracle/attend.hpp"

namespace equinorm::oracle {
namespace {

Enclosed at(const BoundedBlock& block, Index t) { return {block.hi[t], block.lo[t], block.radius[t]}; }

/// Element j of token t; the error of a token's vector bounds that of each element.
Enclosed at(const Rows& rows, Index j, Index t) {
  const auto place = static_cast<std::size_t>(j * kBlock + t);
  return {rows.hi[place], rows.low[t / kGroup] ? rows.lo[place] : 0, rows.radius[t]};
}

/// One vector [key_dim] per token and group, from element (token G + g) key_dim on. content_factor and rope_factor: null for none.
void record_vectors(const Model& model, const KeyBlock& block, Index g, const Rows& content, const BoundedBlock* content_factor,
                    const BoundedBlock* rope_factor, EnclosedTensor& tensor) {
  const Problem& p = model.problem;
  const auto element = [&](Index t, Index j) { return ((block.b * p.max_context() + block.first + t) * p.groups + g) * p.key_dim() + j; };
  for (Index j = 0; j < model.layout.content; ++j) {
    const Index place = model.layout.content_dim(j);
    const Enclosed weight = model.weight(Side::key, g, place);
    for (Index t = 0; t < block.count; ++t) {
      const Enclosed weighted = mul<One>(at(content, j, t), weight);
      record(tensor, element(t, place), content_factor != nullptr ? mul<One>(weighted, at(*content_factor, t)) : weighted);
    }
  }
  for (Index j = 0; j < model.layout.rope; ++j) {
    for (Index t = 0; t < block.count; ++t) {
      const Enclosed turned = at(block.rope[static_cast<std::size_t>(p.is_mla() ? 0 : g)], j, t);
      record(tensor, element(t, model.layout.rope_begin + j), rope_factor != nullptr ? mul<One>(turned, at(*rope_factor, t)) : turned);
    }
  }
}

/// Normalised where the RoPE block has a statistic of its own, else only weighted and turned.
void record_cached_rope(const Model& model, const KeyBlock& block, const BoundedBlock& beta, EnclosedTensor& tensor) {
  const Problem& p = model.problem;
  for (Index t = 0; t < block.count; ++t) {
    for (Index j = 0; j < p.rope_dim; ++j) {
      const Enclosed turned = at(block.rope[0], j, t);
      record(tensor, (block.b * p.max_context() + block.first + t) * p.rope_dim + j, model.joint ? turned : mul<One>(turned, at(beta, t)));
    }
  }
}

}  // namespace

void record_keys(const Model& model, const KeyBlock& block, const std::vector<Rows>& content, const BlockStatistics& statistics,
                 const KeyOutputs& outputs) {
  const Problem& p = model.problem;
  for (Index t = 0; outputs.alpha_k != nullptr && t < block.count; ++t) {
    for (Index g = 0; g < p.key_statistics(); ++g) {
      record(*outputs.alpha_k, (block.b * p.max_context() + block.first + t) * p.key_statistics() + g,
             at(statistics.alpha[static_cast<std::size_t>(g)], t));
    }
  }
  if (outputs.k_rope_cached != nullptr) record_cached_rope(model, block, statistics.beta, *outputs.k_rope_cached);
  for (Index g = 0; g < static_cast<Index>(content.size()); ++g) {
    const BoundedBlock* alpha = model.normed ? &statistics.alpha[static_cast<std::size_t>(p.key_statistics() == 1 ? 0 : g)] : nullptr;
    const Rows& rows = content[static_cast<std::size_t>(g)];
    if (outputs.k_hat != nullptr) record_vectors(model, block, g, rows, alpha, model.joint ? alpha : &statistics.beta, *outputs.k_hat);
    if (outputs.k_deferred != nullptr) record_vectors(model, block, g, rows, nullptr, nullptr, *outputs.k_deferred);
  }
}

}  // namespace equinorm::oracle
