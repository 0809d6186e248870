// Faulty addressing, softmax bookkeeping and outputs.
#pragma once

#include "paths/mutants_norm-inl.hpp"

namespace equinorm::paths::faulty {

template <Arithmetic A>
struct HeadsSwapped : Base<A> {
  Index query_head(const Row<A>&, Index head) const override { return head < 2 ? 1 - head : head; }
};

template <Arithmetic A>
struct RowsSwapped : Base<A> {
  Index query_row(const Row<A>&, Index query) const override { return query < 2 ? 1 - query : query; }
};

template <Arithmetic A>
struct QueryRowsEqual : Base<A> {
  // Every row takes the last one's query: the row that surely sees something.
  Index query_row(const Row<A>& row, Index) const override { return row.problem.queries - 1; }
};

template <Arithmetic A>
struct WrongGroup : Base<A> {
  Index group_of(const Row<A>& row, Index head) const override { return head % row.problem.groups; }
};

template <Arithmetic A>
struct OneElement : Base<A> {
  using typename Base<A>::V;
  void finish_output(const Row<A>& row, Index s, Index h, V* o, Index width) const override {
    if (s != row.problem.queries - 1 || h != 0 || width < 2) return;
    const Index at = width > 6 ? 5 : 0;
    o[at] = o[at + 1];
  }
};

template <Arithmetic A>
struct OutputTimes : Base<A> {
  using typename Base<A>::V;
  explicit OutputTimes(const char* factor) : factor_(factor) {}
  void finish_output(const Row<A>& row, Index, Index, V* o, Index width) const override {
    const V factor = row.ar.constant(factor_);
    for (Index j = 0; j < width; ++j) o[j] = row.ar.mul(o[j], factor);
  }
  scalar::Decimal factor_;
};

template <Arithmetic A>
struct TileRescaleMissing : Base<A> {
  bool rescales_tile(const Row<A>&, Index tile, Index tiles) const override { return tile + 1 < tiles; }
};

template <Arithmetic A>
struct SplitAverageUnweighted : Base<A> {
  using typename Base<A>::V;
  V split_weight(const Row<A>& row, const V&) const override { return row.ar.integer(1); }
};

template <Arithmetic A>
struct SinkIgnored : Base<A> {
  using typename Base<A>::V;
  bool sink(const Row<A>&, Index, V*) const override { return false; }
};

template <Arithmetic A>
struct SinkScaled : Base<A> {
  using typename Base<A>::V;
  bool sink(const Row<A>& row, Index head, V* logit) const override {
    if (!Formula<A>::sink(row, head, logit)) return false;
    *logit = row.ar.mul(*logit, this->scale(row));
    return true;
  }
};

template <Arithmetic A>
struct AlphaOnValue : Base<A> {
  using typename Base<A>::V;
  V value_weight(const Row<A>& row, const V& p, const V* alpha_k) const override {
    return alpha_k != nullptr ? row.ar.mul(p, *alpha_k) : p;
  }
};

}  // namespace equinorm::paths::faulty
