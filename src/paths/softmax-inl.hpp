// Stages `softmax` and `value`, which online tiling interleaves: a weighted average of the rows of `values` by exp(logit), over any tiles
// and any number of splits, with either way of joining the splits.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

#include "paths/score-inl.hpp"

namespace equinorm::paths {

/// A softmax average in progress. Relative to `reference` m: sum = sum_t exp(l_t - m), accumulator = sum_t exp(l_t - m) y_t.
template <class V>
struct Partial {
  bool live = false;  ///< any token so far
  V reference{};
  V sum{};
  V* accumulator = nullptr;  ///< [width]
};

/// What the softmax of one row came to.
template <class V>
struct RowSoftmax {
  bool live = false;  ///< a token or a sink is in the denominator
  V lse{};
  bool by_lse = false;  ///< p_t = exp(l_t - lse), else exp(l_t - reference) / sum
  V reference{};
  V sum{};
};

template <Arithmetic A>
class SoftmaxStage {
 public:
  using V = typename A::Value;

  /// values: [T, value_stride] row-major, the first `width` of each row are averaged. alpha_k may be empty. `row` carries the arithmetic of
  /// the weights, `value_ar` that of the accumulators.
  SoftmaxStage(const Row<A>& row, const A& value_ar, const Formula<A>& formula, const V* values, Index value_stride, Index width,
               const std::vector<V>& alpha_k)
      : row_(row), value_ar_(value_ar), formula_(formula), values_(values), stride_(value_stride), width_(width), alpha_k_(alpha_k) {}

  /// Averages for all rows of `scores`; average is [rows, width] and zero where a row has nothing to attend to.
  std::vector<RowSoftmax<V>> run(const Scores<V>& scores, const std::vector<QueryIndex>& rows, Tensor<V>& average) {
    const Index n = scores.logits.dim(0), tokens = row_.tokens;
    const Index splits = std::max<Index>(1, row_.plan.precision.splits);
    const Index length = tokens == 0 ? 0 : (tokens + splits - 1) / splits;
    std::vector<RowSoftmax<V>> results(static_cast<std::size_t>(n));
    std::vector<std::vector<Partial<V>>> partials;
    std::vector<Tensor<V>> accumulators;
    for (Index k = 0; k < splits; ++k) {
      accumulators.emplace_back(tensor::Shape{n, width_});
      partials.push_back(run_split(scores, std::min(k * length, tokens), std::min((k + 1) * length, tokens), accumulators.back()));
    }
    for (Index i = 0; i < n; ++i) {
      std::vector<Partial<V>> row_partials;
      for (auto& split : partials) row_partials.push_back(split[static_cast<std::size_t>(i)]);
      const Index head = rows[static_cast<std::size_t>(i)].h;
      const bool by_lse = splits > 1 && row_.plan.combine == Combine::lse;
      results[static_cast<std::size_t>(i)] =
          by_lse ? combine_by_lse(row_partials, head, average.row(i)) : combine(row_partials, head, average.row(i));
    }
    return results;
  }

  /// p_t of one live logit.
  V probability(const RowSoftmax<V>& softmax, const V& logit) const {
    const A& ar = row_.ar;
    if constexpr (std::is_floating_point_v<V>) {
      if (formula_.takes_p_of_lse(row_)) return formula_.exp_difference(row_, logit, softmax.lse);
    }
    return softmax.by_lse ? ar.weight_of(logit, softmax.lse) : ar.div(formula_.exp_difference(row_, logit, softmax.reference), softmax.sum);
  }

 private:
  std::vector<Partial<V>> run_split(const Scores<V>& scores, Index begin, Index end, Tensor<V>& accumulator) {
    const Index n = scores.logits.dim(0);
    std::vector<Partial<V>> state(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) state[static_cast<std::size_t>(i)].accumulator = accumulator.row(i);
    const Index tile = row_.plan.precision.tile > 0 ? row_.plan.precision.tile : std::max<Index>(1, end - begin);
    const Index tiles = (end - begin + tile - 1) / tile;
    for (Index number = 0; number < tiles; ++number) {
      const Index from = begin + number * tile, to = std::min(from + tile, end);
      Tensor<V> p({n, to - from});
      for (Index i = 0; i < n; ++i) weigh_tile(scores, i, from, to, number, tiles, state[static_cast<std::size_t>(i)], p.row(i));
      add_tile(scores, from, to, p, accumulator);
    }
    return state;
  }

  /// accumulator += p times the tile's values. A token that a row does not see has p = 0 there; its value is left out even if it is NaN,
  /// which 0 * NaN would not do.
  void add_tile(const Scores<V>& scores, Index from, Index to, const Tensor<V>& p, Tensor<V>& accumulator) const {
    const Index n = scores.logits.dim(0), depth = to - from;
    const V* values = values_ + from * stride_;
    if constexpr (std::is_floating_point_v<V>) {
      if (formula_.skips_masked_values(row_) && hides_nonfinite(scores, from, to)) {
        for (Index i = 0; i < n; ++i) {
          Tensor<V> seen({depth, width_});
          for (Index t = 0; t < depth; ++t) {
            if (scores.live.row(i)[from + t] != 0) std::copy(values + t * stride_, values + t * stride_ + width_, seen.row(t));
          }
          formula_.add_values(row_, value_ar_, 1, width_, depth, p.row(i), seen.data(), width_, accumulator.row(i));
        }
        return;
      }
    }
    formula_.add_values(row_, value_ar_, n, width_, depth, p.data(), values, stride_, accumulator.data());
  }

  /// Whether the value of a token that some row does not see is not finite.
  bool hides_nonfinite(const Scores<V>& scores, Index from, Index to) const {
    for (Index t = from; t < to; ++t) {
      bool hidden = false;
      for (Index i = 0; i < scores.live.dim(0) && !hidden; ++i) hidden = scores.live.row(i)[t] == 0;
      if (!hidden) continue;
      const V* value = values_ + t * stride_;
      if (!std::all_of(value, value + width_, [](const V& x) { return std::isfinite(x); })) return true;
    }
    return false;
  }

  /// Weights of one tile of one row, relative to the new reference; what was accumulated before is rescaled to it.
  void weigh_tile(const Scores<V>& scores, Index i, Index from, Index to, Index number, Index tiles, Partial<V>& state, V* p) {
    const A& ar = row_.ar;
    const V* logits = scores.logits.row(i);
    const std::uint8_t* live = scores.live.row(i);
    const Index at = ar.reference(logits + from, live + from, to - from);
    if (at < 0) return;
    const V reference = state.live ? ar.newer(state.reference, logits[from + at]) : logits[from + at];
    if (state.live && formula_.rescales_tile(row_, number, tiles))
      rescale(state, formula_.exp_difference(row_, state.reference, reference));
    std::vector<V> summed;
    summed.reserve(static_cast<std::size_t>(to - from));
    for (Index t = from; t < to; ++t) {
      if (live[t] == 0) continue;
      const V weight = formula_.exp_difference(row_, logits[t], reference);
      const V stored = ar.store(Stored::p, weight);
      summed.push_back(row_.plan.denominator_rounded ? stored : weight);
      p[t - from] = formula_.value_weight(row_, stored, alpha_k_.empty() ? nullptr : &alpha_k_[static_cast<std::size_t>(t)]);
    }
    const V tile_sum = ar.sum(summed.data(), static_cast<Index>(summed.size()));
    state.sum = state.live ? ar.add(state.sum, tile_sum) : tile_sum;
    state.reference = reference;
    state.live = true;
  }

  void rescale(Partial<V>& state, const V& factor) const {
    state.sum = row_.ar.mul(state.sum, factor);
    for (Index j = 0; j < width_; ++j) state.accumulator[j] = value_ar_.mul(state.accumulator[j], factor);
  }

  /// Moves `into` and `other` to a common reference and adds them.
  void merge(Partial<V>& into, Partial<V> other) const {
    if (!other.live) return;
    const A& ar = row_.ar;
    const V reference = into.live ? ar.newer(into.reference, other.reference) : other.reference;
    if (into.live) rescale(into, formula_.exp_difference(row_, into.reference, reference));
    const V weight = formula_.split_weight(row_, formula_.exp_difference(row_, other.reference, reference));
    rescale(other, weight);
    into.sum = into.live ? ar.add(into.sum, other.sum) : other.sum;
    for (Index j = 0; j < width_; ++j)
      into.accumulator[j] = into.live ? value_ar_.add(into.accumulator[j], other.accumulator[j]) : other.accumulator[j];
    into.reference = reference;
    into.live = true;
  }

  RowSoftmax<V> combine(std::vector<Partial<V>>& partials, Index head, V* average) const {
    const A& ar = row_.ar;
    Partial<V>& total = partials.front();
    for (std::size_t k = 1; k < partials.size(); ++k) merge(total, partials[k]);
    RowSoftmax<V> result;
    V sink{};
    if (formula_.sink(row_, head, &sink)) {
      const V reference = total.live ? ar.newer(total.reference, sink) : sink;
      if (total.live) rescale(total, formula_.exp_difference(row_, total.reference, reference));
      const V weight = formula_.exp_difference(row_, sink, reference);
      total.sum = total.live ? ar.add(total.sum, weight) : weight;
      total.reference = reference;
      total.live = true;
    }
    if (!total.live && formula_.skips_empty_rows(row_)) return result;
    for (Index j = 0; j < width_; ++j) average[j] = value_ar_.div(total.accumulator[j], total.sum);
    result.live = total.live;
    result.reference = total.reference;
    result.sum = total.sum;
    result.lse = ar.lse(total.reference, total.sum);
    return result;
  }

  RowSoftmax<V> combine_by_lse(std::vector<Partial<V>>& partials, Index head, V* average) const {
    const A& ar = row_.ar;
    RowSoftmax<V> result;
    result.by_lse = true;
    std::vector<V> lses;
    std::vector<const V*> accumulators;  // normalised; null for the sink
    for (Partial<V>& split : partials) {
      if (!split.live && formula_.skips_empty_splits(row_)) continue;
      for (Index j = 0; j < width_; ++j) split.accumulator[j] = value_ar_.div(split.accumulator[j], split.sum);
      lses.push_back(ar.lse(split.reference, split.sum));
      accumulators.push_back(split.accumulator);
    }
    V sink{};
    if (formula_.sink(row_, head, &sink)) {
      lses.push_back(ar.lse_of(sink));
      accumulators.push_back(nullptr);
    }
    if (lses.empty()) {
      for (Index j = 0; j < width_ && !formula_.skips_empty_rows(row_); ++j) average[j] = value_ar_.div(V{}, V{});
      return result;
    }
    V reference = lses.front();
    for (const V& lse : lses) reference = ar.lse_newer(reference, lse);
    std::vector<V> weights;
    for (const V& lse : lses) weights.push_back(formula_.split_weight(row_, ar.lse_weight(lse, reference)));
    const V sum = ar.sum(weights.data(), static_cast<Index>(weights.size()));
    for (Index j = 0; j < width_; ++j) {
      std::optional<V> total;
      for (std::size_t k = 0; k < weights.size(); ++k) {
        if (accumulators[k] == nullptr) continue;
        const V term = value_ar_.mul(accumulators[k][j], weights[k]);
        total = total ? value_ar_.add(*total, term) : term;
      }
      average[j] = total ? value_ar_.div(*total, sum) : V{};
    }
    result.live = true;
    result.lse = ar.lse_join(reference, sum);
    return result;
  }

  const Row<A>& row_;
  const A& value_ar_;
  const Formula<A>& formula_;
  const V* values_;
  Index stride_;
  Index width_;
  const std::vector<V>& alpha_k_;
};

}  // namespace equinorm::paths
