// The formulas of the paper, one small function each: what a stage computes per token, head or element. A faulty variant (mutants-inl.hpp)
// overrides one of them; the stages themselves are shared.
#pragma once

#include <memory>

#include "paths/arithmetic.hpp"
#include "paths/path_data.hpp"
#include "paths/plan.hpp"
#include "problem/problem.hpp"

namespace equinorm::paths {

enum class Side : std::uint8_t { query, key };
/// content and rope are the two blocks of an mla head; whole is a gqa head.
enum class Block : std::uint8_t { content, rope, whole };

/// One batch row of a running path. Pointers are row-major with the shapes of product tensors; content and rope belong to mla, key and
/// value to gqa; they point into the inputs, or into buffers that stage `project` filled.
template <class A>
struct Row {
  using V = typename A::Value;
  const A& ar;
  const problem::Problem& problem;
  const Plan& plan;
  const PathInputs<V>& in;
  Index b = 0;                                        ///< batch row
  Index tokens = 0;                                   ///< T_b
  const V* c = nullptr;                               ///< [T,r]
  const V* k_rope = nullptr;                          ///< [T,d_r]
  const V* q_content = nullptr;                       ///< [S,H,d_c]
  const V* q_rope = nullptr;                          ///< [S,H,d_r]
  const V* q = nullptr;                               ///< [S,H,d]
  const V* k = nullptr;                               ///< [T,G,d]
  const V* v = nullptr;                               ///< [T,G,d_v]
  std::shared_ptr<const Tensor<V>> k0_all{};          ///< [G,T,d_c]: every group's k0, full_width mla only
  std::shared_ptr<const std::vector<V>> alpha_all{};  ///< [T]: the statistic that all groups share, full_width only

  /// The same row in another arithmetic over the same numbers.
  Row with(const A& other) const { return {other, problem, plan, in, b, tokens, c, k_rope, q_content, q_rope, q, k, v, k0_all, alpha_all}; }
};

template <Arithmetic A>
class Formula {
 public:
  using V = typename A::Value;
  using Context = Row<A>;

  virtual ~Formula() = default;

  // Addressing. g(h) = floor(h G / H); the query of output row (s, h); positions; which keys a query sees.
  virtual Index group_of(const Context& row, Index head) const { return row.problem.group_of(head); }
  virtual Index query_head(const Context&, Index head) const { return head; }
  virtual Index query_row(const Context&, Index query) const { return query; }
  virtual Index key_position(const Context& row, Index t) const { return *row.in.positions_k.row(row.b, t); }
  virtual bool sees(const Context& row, Index query, Index t) const;

  // Statistics: alpha = 1/S, S(z) = sqrt(mean z^2 + eps) (rms) or sqrt(sum z^2 + eps) (l2).
  virtual V inverse_norm(const Context& row, Side side, Block block, const V& sum_of_squares, Index width) const;
  virtual V square_sum(const Context& row, const V* x, Index n) const { return row.ar.sum_of_squares(x, n); }
  /// alpha_k of token t and group g; k0 is the group's [T,d_c] (mla) or null (gqa).
  virtual V key_alpha(const Context& row, Index g, Index t, const V* k0) const;
  virtual V key_rope_alpha(const Context& row, Index t) const;
  virtual V query_alpha(const Context& row, Index s, Index h) const;
  virtual V query_rope_alpha(const Context& row, Index s, Index h) const;

  /// Norm weights of one block of one head or group: gamma, or 1 + gamma; empty when the problem has none.
  virtual std::vector<V> weights(const Context& row, Side side, Block block, Index head_or_group) const;

  /// Weight (null: none), then rotation at `position`, in place. The statistic's scaling has happened before, or is deferred.
  virtual void weigh_and_rotate(const Context& row, Side side, Block block, V* x, const V* weight, Index position) const;
  virtual void rotate(const Context& row, Side side, Block block, V* x, Index position) const;

  // Score: eqs. (11), (12), (13).
  virtual V scale(const Context& row) const { return row.ar.scale(problem::softmax_scale(row.problem)); }
  /// Joins the two partial dot products before scaling. alpha_q and alpha_k are null where they are already inside the operands, or absent.
  virtual V join_scores(const Context& row, const V& content, const V* rope, const V* alpha_q, const V* alpha_k) const;
  /// scale, then soft-cap.
  virtual V finish_logit(const Context& row, const V& joined, const V& scale, bool live) const;
  /// Whether a token enters the softmax although `sees` says no (never, in the right formula).
  virtual bool enters_softmax(const Context&, bool live) const { return live; }

  // Softmax: exponentials, online rescaling, split weights, sink.
  virtual V exp_difference(const Context& row, const V& a, const V& b) const { return row.ar.exp_difference(a, b); }
  virtual bool rescales_tile(const Context&, Index /*tile*/, Index /*tiles*/) const { return true; }
  virtual V split_weight(const Context&, const V& weight) const { return weight; }
  /// Whether p_t is exp_difference(l_t, lse), where arithmetics have that lse as a number; else exp_difference(l_t, m) / sum.
  virtual bool takes_p_of_lse(const Context&) const { return false; }
  /// The sink logit of a head; false when there is none.
  virtual bool sink(const Context& row, Index head, V* logit) const;
  /// The weight with which token t enters the value sum (numerator only).
  virtual V value_weight(const Context&, const V& p, const V* /*alpha_k*/) const { return p; }
  /// sums[rows,width] += p[rows,depth] values[depth,width], rows of `values` apart by `stride`; in `ar`, stage `value`'s arithmetic.
  virtual void add_values(const Context&, const A& ar, Index rows, Index width, Index depth, const V* p, const V* values, Index stride,
                          V* sums) const {
    ar.matmul(rows, width, depth, p, depth, values, stride, sums, width, true);
  }
  /// What a kernel must leave out: values under the mask (they may hold NaN), splits without a token, the division of an empty row.
  virtual bool skips_masked_values(const Context&) const { return true; }
  virtual bool skips_empty_splits(const Context&) const { return true; }
  virtual bool skips_empty_rows(const Context&) const { return true; }

  // Output.
  virtual void finish_output(const Context&, Index /*s*/, Index /*h*/, V* /*o*/, Index /*width*/) const {}
  virtual V finish_lse(const Context&, const V& lse) const { return lse; }

 protected:
  /// Sum of squares of the concatenation [a; b] (b may be empty) in one reduction.
  V concatenated_square_sum(const Context& row, const V* a, Index a_width, const V* b, Index b_width) const;
  /// Statistic of the problem's scheme over the given key content row.
  V scheme_key_alpha(const Context& row, problem::NormScheme scheme, Index g, Index t, const V* k0) const;
  void rotate_pairs(const Context& row, problem::RopeLayout layout, V* x, Index width, Index position) const;
};

}  // namespace equinorm::paths
