#include "oracle/attend.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>

namespace equinorm::oracle {
namespace {

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

/// Slices that hold q_tilde: 5 * 23 bits below its largest element.
constexpr Index kQuerySlices = 5;

/// sum_s scores[first + s][t], largest slice first; norm: ||c||, radius: ||error of q_tilde||. scores.radius bounds the error of all
/// columns.
void add_slices(const Rows& scores, Index first, const double* norm, double radius, BoundedBlock& sum) {
  kernels().sum_rows(kQuerySlices, scores.hi.data() + first * kBlock, scores.lo.data() + first * kBlock, sum);
  for (Index t = 0; t < kBlock; ++t) sum.radius[t] = (sum.radius[t] + kQuerySlices * scores.radius[t] + norm[t] * radius) * kRoundUp;
}

/// Logits of one head before any cap.
BoundedBlock attend_head(const Model& model, const KeyBlock& block, const QueryHead& head, Index g, const BoundedBlock& content,
                         const BlockStatistics& statistics) {
  const Problem& p = model.problem;
  BoundedBlock rope{}, logit;
  if (model.layout.rope > 0) dots(block.rope[static_cast<std::size_t>(p.is_mla() ? 0 : g)], head.rope, rope);
  const BoundedBlock& alpha = statistics.alpha[static_cast<std::size_t>(p.key_statistics() == 1 ? 0 : g)];
  kernels().logits(head.score, content, rope, alpha, statistics.beta, logit);
  return logit;
}

/// Content parts of the logits of all heads, before any statistic: q_tilde . c (mla), the sum of the exact products of its slices; or
/// g . k (gqa).
void content_scores(const Model& model, const QueryBatch& batch, const KeyBlock& block, Workspace& work,
                    std::vector<BoundedBlock>& scores) {
  const Problem& p = model.problem;
  const bool sliced = p.is_mla() && block.latent_slices.usable && batch.absorbed.slices.sliced();
  if (sliced) batch.absorbed.slices.multiply(block.latent, block.latent_slices, work.scores);
  for (std::size_t at = 0; at < batch.heads.size(); ++at) {
    if (sliced) {
      add_slices(work.scores, static_cast<Index>(at) * kQuerySlices, block.latent.norm, batch.absorbed.radius[at], scores[at]);
    } else if (p.is_mla()) {
      dots(block.latent, batch.absorbed.rows[at], scores[at]);
    } else {
      dots(block.content[static_cast<std::size_t>(p.group_of(static_cast<Index>(at) % p.heads))], batch.heads[at].content, scores[at]);
    }
  }
}

void attend_block(const Model& model, const QueryBatch& batch, const KeyBlock& block, const BlockStatistics* known,
                  const KeyOutputs& outputs, Workspace& work, std::vector<SoftmaxState>& states) {
  const Problem& p = model.problem;
  const bool records =
      outputs.alpha_k != nullptr || outputs.k_hat != nullptr || outputs.k_deferred != nullptr || outputs.k_rope_cached != nullptr;
  const bool keeps = outputs.k_hat != nullptr || outputs.k_deferred != nullptr;
  std::vector<Rows> kept;
  BlockStatistics computed;
  if (known == nullptr || keeps) computed = block_statistics(model, block, work, keeps ? &kept : nullptr);
  const BlockStatistics& statistics = known != nullptr ? *known : computed;
  if (records) record_keys(model, block, kept, statistics, outputs);
  std::vector<BoundedBlock> content(batch.heads.size());
  content_scores(model, batch, block, work, content);
  for (Index i = 0; i < batch.count; ++i) {
    const Model::Range seen = model.visible(block.b, batch.first + i);
    const Index begin = std::clamp<Index>(seen.first - block.first, 0, block.count);
    const Index end = std::clamp<Index>(seen.last - block.first, begin, block.count);
    for (Index h = 0; begin < end && h < p.heads; ++h) {
      const auto at = static_cast<std::size_t>(i * p.heads + h);
      BoundedBlock logit = attend_head(model, block, batch.heads[at], p.group_of(h), content[at], statistics);
      if (!p.softcap.is_zero()) apply_cap(model, begin, end, logit);
      if (outputs.logits != nullptr) {
        const Index row = ((block.b * p.heads + h) * p.queries + batch.first + i) * p.max_context() + block.first;
        for (Index t = begin; t < end; ++t) record(*outputs.logits, row + t, {logit.hi[t], logit.lo[t], logit.radius[t]});
      }
      BoundedBlock mantissa;
      alignas(64) double exponents[kBlock];
      kernels().exponentials(logit, mantissa, exponents);
      states[at].add_tokens(mantissa, exponents, begin, end, block.values[static_cast<std::size_t>(p.is_mla() ? 0 : p.group_of(h))]);
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

void absorb_queries(const Model& model, QueryBatch& batch) {
  const Problem& p = model.problem;
  if (!p.is_mla()) return;
  std::vector<std::vector<double>> columns(batch.heads.size() * kQuerySlices);
  batch.absorbed.rows.resize(batch.heads.size());
  batch.absorbed.radius.resize(batch.heads.size());
  tbb::parallel_for(std::size_t{0}, batch.heads.size(), [&](std::size_t at) {
    const Index g = p.group_of(static_cast<Index>(at) % p.heads);
    Row& row = batch.absorbed.rows[at];
    row = make_row(times(batch.heads[at].content, model.key_matrices[static_cast<std::size_t>(g)].transpose()));
    std::vector<double> rest = row.hi, low = row.lo;
    for (std::size_t s = 0; s < kQuerySlices; ++s) {
      std::vector<double>& slice = columns[at * kQuerySlices + s];
      slice.resize(rest.size());
      if (cut_column(p.latent, kMaxColumnDigits, rest.data(), slice.data()) == 0) std::fill(slice.begin(), slice.end(), 0.0);
      for (std::size_t m = 0; m < rest.size(); ++m) two_sum<One>(rest[m], low[m], rest[m], low[m]);
    }
    double left = 0;  // 1-norm; at most 2^24 additions lose less than 2^-28
    for (std::size_t m = 0; m < rest.size(); ++m) left += std::fabs(rest[m]) + std::fabs(low[m]);
    batch.absorbed.radius[at] = (row.radius + left) * (1 + 0x1p-27);
  });
  batch.absorbed.slices = Matrix(from_columns(p.latent, columns));
}

void attend(const Model& model, const QueryBatch& batch, Index first, Index last, const std::vector<BlockStatistics>* known,
            const KeyOutputs& outputs, std::vector<SoftmaxState>& states) {
  Workspace work;
  for (Index begin = first; begin < last; begin += kBlock) {
    const BlockStatistics* statistics = known != nullptr ? &(*known)[static_cast<std::size_t>(begin / kBlock)] : nullptr;
    attend_block(model, batch, load_keys(model, batch.b, begin, std::min(kBlock, last - begin)), statistics, outputs, work, states);
  }
}

}  // namespace equinorm::oracle
