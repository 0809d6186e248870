#include "oracle/attend.hpp"

#include <algorithm>
#include <cmath>

namespace equinorm::oracle {
namespace {

using problem::NormScheme;

BoundedBlock ones() {
  BoundedBlock block{};
  std::fill_n(block.hi, kBlock, 1.0);
  return block;
}

void add_to(BoundedBlock& sum, const BoundedBlock& more) {
  for (Index t = 0; t < kBlock; ++t) {
    const Enclosed s = add<One>({sum.hi[t], sum.lo[t], sum.radius[t]}, {more.hi[t], more.lo[t], more.radius[t]});
    sum.hi[t] = s.hi;
    sum.lo[t] = s.lo;
    sum.radius[t] = s.radius;
  }
}

/// (5): alpha_k from the squares of the content blocks of all groups.
KeyStatistics key_statistics(const Model& model, const KeyBlock& block, std::vector<BoundedBlock> squares) {
  const Problem& p = model.problem;
  KeyStatistics statistics{{}, ones()};
  if (!model.normed) {
    statistics.alpha.assign(static_cast<std::size_t>(p.key_statistics()), ones());
    return statistics;
  }
  Index width = model.layout.content;
  if (model.joint && model.layout.rope > 0) {
    for (std::size_t g = 0; g < squares.size(); ++g) add_to(squares[g], block.rope_squares[p.is_mla() ? 0 : g]);
  }
  if (model.joint) width = p.key_dim();
  if (p.norm.scheme == NormScheme::full_width) {
    for (std::size_t g = 1; g < squares.size(); ++g) add_to(squares[0], squares[g]);
    squares.resize(1);
    width *= p.groups;
  }
  statistics.alpha.resize(squares.size());
  for (std::size_t g = 0; g < squares.size(); ++g) {
    kernels().statistic(squares[g], model.mean_factor(width), model.eps, statistics.alpha[g]);
  }
  if (!model.joint && model.layout.rope > 0) {
    kernels().statistic(block.rope_squares[0], model.mean_factor(model.layout.rope), model.eps, statistics.beta);
  }
  return statistics;
}

/// cap tanh(l / cap).
void apply_cap(const Model& model, Index begin, Index end, BoundedBlock& logit) {
  for (Index t = begin; t < end; ++t) {
    const Enclosed l{logit.hi[t], logit.lo[t], logit.radius[t]};
    const Enclosed capped = mul<One>(tanh(mul<One>(l, model.inverse_cap)), model.cap);
    logit.hi[t] = capped.hi;
    logit.lo[t] = capped.lo;
    logit.radius[t] = capped.radius;
  }
}

void attend_block(const Model& model, const QueryBatch& batch, KeyBlock block, const KeyOutputs& outputs, Rows& keys,
                  std::vector<SoftmaxState>& states) {
  const Problem& p = model.problem;
  const Index per_group = p.heads / p.groups;
  std::vector<BoundedBlock> content(batch.heads.size()), squares(static_cast<std::size_t>(p.groups));
  std::vector<Rows> kept;  // of all groups, where the keys themselves are outputs
  for (Index g = 0; g < p.groups; ++g) {
    content_keys(model, block, g, keys, squares[static_cast<std::size_t>(g)]);
    for (Index i = 0; i < batch.count; ++i) {
      for (Index h = g * per_group; h < (g + 1) * per_group; ++h) {
        const auto at = static_cast<std::size_t>(i * p.heads + h);
        dots(keys, batch.heads[at].content, content[at]);
      }
    }
    if (outputs.k_hat != nullptr || outputs.k_deferred != nullptr) kept.push_back(keys);
  }
  const KeyStatistics statistics = key_statistics(model, block, std::move(squares));
  record_keys(model, block, kept, statistics, outputs);
  for (Index i = 0; i < batch.count; ++i) {
    const Model::Range seen = model.visible(block.b, batch.first + i);
    const Index begin = std::clamp<Index>(seen.first - block.first, 0, block.count);
    const Index end = std::clamp<Index>(seen.last - block.first, begin, block.count);
    if (begin == end) continue;
    for (Index h = 0; h < p.heads; ++h) {
      const auto at = static_cast<std::size_t>(i * p.heads + h);
      const auto g = static_cast<std::size_t>(p.group_of(h));
      BoundedBlock rope{}, logit, mantissa;
      alignas(64) double exponents[kBlock];
      if (model.layout.rope > 0) dots(block.rope[p.is_mla() ? 0 : g], batch.heads[at].rope, rope);
      kernels().logits(batch.heads[at].score, content[at], rope, statistics.alpha[p.key_statistics() == 1 ? 0 : g], statistics.beta, logit);
      if (!p.softcap.is_zero()) apply_cap(model, begin, end, logit);
      if (outputs.logits != nullptr) {
        const Index row = ((block.b * p.heads + h) * p.queries + batch.first + i) * p.max_context() + block.first;
        for (Index t = begin; t < end; ++t) record(*outputs.logits, row + t, {logit.hi[t], logit.lo[t], logit.radius[t]});
      }
      kernels().exponentials(logit, mantissa, exponents);
      states[at].add_tokens(mantissa, exponents, begin, end, block.values[p.is_mla() ? 0 : g]);
    }
  }
}

}  // namespace

void record(EnclosedTensor& tensor, Index at, const Enclosed& x) {
  const double radius = (std::fabs(x.lo) + x.radius) * (1 + 0x1p-48);
  const bool known = std::isfinite(x.hi) && std::isfinite(x.lo) && std::isfinite(radius);
  tensor.value[at] = known ? x.hi : 0;
  tensor.low[at] = known ? x.lo : 0;
  tensor.radius[at] = known ? radius : kInfinity;
  tensor.low_radius[at] = known ? x.radius : kInfinity;
}

void record_minus_infinity(EnclosedTensor& tensor, Index at) {
  tensor.value[at] = -kInfinity;
  tensor.low[at] = tensor.radius[at] = tensor.low_radius[at] = 0;
}

void attend(const Model& model, const QueryBatch& batch, Index first, Index last, const KeyOutputs& outputs,
            std::vector<SoftmaxState>& states) {
  Rows keys;  // one memory for all blocks and groups
  for (Index begin = first; begin < last; begin += kBlock) {
    attend_block(model, batch, load_keys(model, batch.b, begin, std::min(kBlock, last - begin)), outputs, keys, states);
  }
}

}  // namespace equinorm::oracle
