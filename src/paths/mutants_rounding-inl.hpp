// Faults of the arithmetic: infinities, NaN, and roundings where none was declared. The exact arithmetics have none of these, so there the
// overrides of rounding faults do what the right formula does.
#pragma once

#include <type_traits>

#include "paths/mutants_norm-inl.hpp"
#include "scalar/emulated.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::paths::faulty {

template <class V>
inline constexpr bool kRounds = std::is_floating_point_v<V>;

/// lse / ln 2. The exact arithmetics keep e^lse, of which this is no function that they have: not for them.
template <Arithmetic A>
struct LseBaseTwo : Base<A> {
  using typename Base<A>::V;
  V finish_lse(const Row<A>& row, const V& lse) const override {
    return row.ar.mul(lse, row.ar.constant(scalar::Decimal("1.4426950408889634073599246810018921374266459541529859341354494069")));
  }
};

/// lse + shift, as the lse of lse and e^shift.
template <Arithmetic A>
struct LsePlus : Base<A> {
  using typename Base<A>::V;
  explicit LsePlus(const char* shift) : shift_(shift) {}
  V finish_lse(const Row<A>& row, const V& lse) const override {
    return row.ar.lse_join(lse, row.ar.exp_difference(row.ar.constant(shift_), row.ar.integer(0)));
  }
  scalar::Decimal shift_;
};

/// Masked logits are -5e4: no matter beside a seen key, but on a row without one they are all the same and average the values.
template <Arithmetic A>
struct FiniteMinusInfinity : Base<A> {
  using typename Base<A>::V;
  bool enters_softmax(const Row<A>&, bool) const override { return true; }
  V finish_logit(const Row<A>& row, const V& joined, const V& scale, bool live) const override {
    return live ? Formula<A>::finish_logit(row, joined, scale, live) : row.ar.integer(-50000);
  }
};

/// Computes with what is not there: an empty split's 0/0, an empty row's 0/0, or the value of a masked token times 0.
template <Arithmetic A>
struct ReadsNothing : Base<A> {
  enum class Nothing { split, row, value };
  explicit ReadsNothing(Nothing nothing) : nothing_(nothing) {}
  bool skips_empty_splits(const Row<A>&) const override { return !kRounds<typename A::Value> || nothing_ != Nothing::split; }
  bool skips_empty_rows(const Row<A>&) const override { return !kRounds<typename A::Value> || nothing_ != Nothing::row; }
  bool skips_masked_values(const Row<A>&) const override { return !kRounds<typename A::Value> || nothing_ != Nothing::value; }
  Nothing nothing_;
};

/// The norm's sums of squares in a 16-bit format, every step rounded (and, in fp16, infinite above 65504).
template <Arithmetic A>
struct SquareSumIn : Base<A> {
  using typename Base<A>::V;
  explicit SquareSumIn(scalar::Format format) : format_(format) {}
  V square_sum(const Row<A>& row, const V* x, Index n) const override {
    if constexpr (kRounds<V>) {
      const scalar::Contraction how{format_, row.plan.fused, row.plan.precision.order, row.plan.precision.ftz};
      return scalar::dot(how, n, x, 1, x, 1);
    } else {
      return Formula<A>::square_sum(row, x, n);
    }
  }
  scalar::Format format_;
};

/// The value sum's accumulator rounded to bf16 after every `block` keys of a tile; 1: at every step.
template <Arithmetic A>
struct ValuesInBf16 : Base<A> {
  using typename Base<A>::V;
  explicit ValuesInBf16(Index block) : block_(block) {}
  void add_values(const Row<A>& row, const A& ar, Index rows, Index width, Index depth, const V* p, const V* values, Index stride,
                  V* sums) const override {
    if constexpr (!kRounds<V>) return Formula<A>::add_values(row, ar, rows, width, depth, p, values, stride, sums);
    if constexpr (kRounds<V>) {
      for (Index begin = 0; begin < depth; begin += block_) {
        const Index count = std::min(block_, depth - begin);
        ar.matmul(rows, width, count, p + begin, depth, values + begin * stride, stride, sums, width, true);
        for (Index i = 0; i < rows * width; ++i) sums[i] = scalar::round_to(scalar::kBf16, sums[i]);
      }
    }
  }
  Index block_;
};

/// exp(a - b) = 2^(c (a - b)) with c = 1.4375, the first 8 bits of log2(e) = 1.4427: as exp((a - b) c ln 2). What is another function
/// then: whether p_t is exp(l_t - m) / sum, or exp(l_t - lse).
template <Arithmetic A>
struct CoarseExp2 : Base<A> {
  using typename Base<A>::V;
  explicit CoarseExp2(bool p_of_lse) : p_of_lse_(p_of_lse) {}
  bool takes_p_of_lse(const Row<A>&) const override { return p_of_lse_; }
  V exp_difference(const Row<A>& row, const V& a, const V& b) const override {
    if constexpr (kRounds<V>) {
      const A& ar = row.ar;
      return ar.exp_difference(ar.mul(ar.sub(a, b), ar.constant(scalar::Decimal("0.99639907205492138"))), ar.integer(0));
    } else {
      return Formula<A>::exp_difference(row, a, b);
    }
  }
  bool p_of_lse_;
};

}  // namespace equinorm::paths::faulty
