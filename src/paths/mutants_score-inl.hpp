// Faulty positions, rotations, scales, masks and caps.
#pragma once

#include "paths/mutants_norm-inl.hpp"

namespace equinorm::paths::faulty {

template <Arithmetic A>
struct RopeIgnored : Base<A> {
  using typename Base<A>::V;
  void rotate(const Row<A>&, Side, Block, V*, Index) const override {}
};

template <Arithmetic A>
struct RopeLayoutSwapped : Base<A> {
  using typename Base<A>::V;
  void rotate(const Row<A>& row, Side, Block block, V* x, Index position) const override {
    const problem::Problem& pb = row.problem;
    if (block == Block::content || pb.rotated_dim() == 0) return;
    const bool last = block == Block::whole && pb.rope.part == problem::RopePart::last;
    const RopeLayout other = pb.rope.layout == RopeLayout::half ? RopeLayout::interleaved : RopeLayout::half;
    this->rotate_pairs(row, other, last ? x + pb.head_dim - pb.rope_dim : x, pb.rotated_dim(), position);
  }
};

template <Arithmetic A>
struct RopeBeforeNorm : Base<A> {
  using typename Base<A>::V;
  void weigh_and_rotate(const Row<A>& row, Side side, Block block, V* x, const V* weight, Index position) const override {
    this->rotate(row, side, block, x, position);
    const problem::Problem& pb = row.problem;
    const Index width = block == Block::content ? pb.content_dim : block == Block::rope ? pb.rope_dim : pb.head_dim;
    for (Index j = 0; weight != nullptr && j < width; ++j) x[j] = row.ar.mul(x[j], weight[j]);
  }
};

template <Arithmetic A>
struct PositionOffByOne : Base<A> {
  Index key_position(const Row<A>& row, Index t) const override {
    // One less, so that the tables need no further row; position 0 stays.
    const Index position = Formula<A>::key_position(row, t);
    return position > 0 ? position - 1 : position;
  }
};

template <Arithmetic A>
struct ScaleOf : Base<A> {
  using typename Base<A>::V;
  explicit ScaleOf(bool latent) : latent_(latent) {}
  V scale(const Row<A>& row) const override {
    problem::ScaleSpec spec = problem::softmax_scale(row.problem);
    spec.value.reset();
    spec.inverse_sqrt_of = latent_ ? row.problem.latent + row.problem.rope_dim : row.problem.content_dim;
    return row.ar.scale(spec);
  }
  bool latent_;
};

template <Arithmetic A>
struct ScaleTwice : Base<A> {
  using typename Base<A>::V;
  V scale(const Row<A>& row) const override {
    const V once = Formula<A>::scale(row);
    return row.ar.mul(once, once);
  }
};

template <Arithmetic A>
struct MscaleMissing : Base<A> {
  using typename Base<A>::V;
  V scale(const Row<A>& row) const override {
    problem::ScaleSpec spec = problem::softmax_scale(row.problem);
    spec.yarn.reset();
    return row.ar.scale(spec);
  }
};

template <Arithmetic A>
struct AlphaOnRope : Base<A> {
  using typename Base<A>::V;
  V join_scores(const Row<A>& row, const V& content, const V* rope, const V* alpha_q, const V* alpha_k) const override {
    const A& ar = row.ar;
    V score = alpha_q != nullptr ? ar.mul(content, *alpha_q) : content;
    if (rope != nullptr) score = ar.join(score, *rope);
    return alpha_k != nullptr ? ar.mul(score, *alpha_k) : score;
  }
};

/// alpha_k as a factor of the score never, or twice.
template <Arithmetic A>
struct AlphaKeyTimes : Base<A> {
  using typename Base<A>::V;
  explicit AlphaKeyTimes(int times) : times_(times) {}
  V join_scores(const Row<A>& row, const V& content, const V* rope, const V* alpha_q, const V* alpha_k) const override {
    if (alpha_k == nullptr || times_ == 0) return Formula<A>::join_scores(row, content, rope, alpha_q, nullptr);
    const V squared = row.ar.mul(*alpha_k, *alpha_k);
    return Formula<A>::join_scores(row, content, rope, alpha_q, &squared);
  }
  int times_;
};

template <Arithmetic A>
struct SoftcapAfterMask : Base<A> {
  using typename Base<A>::V;
  bool enters_softmax(const Row<A>&, bool) const override { return true; }
  V finish_logit(const Row<A>& row, const V& joined, const V& scale, bool live) const override {
    const A& ar = row.ar;
    // cap tanh(-inf / cap) = -cap
    return live ? Formula<A>::finish_logit(row, joined, scale, live) : ar.sub(ar.integer(0), ar.constant(row.problem.softcap));
  }
};

/// Some keys are not seen, or one too many.
template <Arithmetic A>
struct WrongKeys : Base<A> {
  enum class Fault { last_key, last_tile, page, causal_edge, window_edge };
  explicit WrongKeys(Fault fault) : fault_(fault) {}
  bool sees(const Row<A>& row, Index query, Index t) const override {
    const Index tile = fault_tile(row.problem), last = row.problem.query_position(row.b, query);
    const bool right = Formula<A>::sees(row, query, t);
    switch (fault_) {
      case Fault::last_key:
        return right && t != row.tokens - 1;
      case Fault::last_tile:
        return right && t / tile != (row.tokens - 1) / tile;
      case Fault::page:
        return right && t / tile != ((row.tokens - 1) / tile) / 2;
      case Fault::causal_edge:
        return right && t != last;
      case Fault::window_edge:
        return right || (last >= 0 && t == last - row.problem.mask.window);
    }
    return right;
  }
  Fault fault_;
};

}  // namespace equinorm::paths::faulty
