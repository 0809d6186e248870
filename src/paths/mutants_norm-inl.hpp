// Faulty norms: statistics, eps and weights.
#pragma once

#include "paths/formula-inl.hpp"
#include "paths/mutants.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::paths::faulty {

template <Arithmetic A>
struct Base : Formula<A> {
  using V = typename A::Value;
  using Context = Row<A>;
};

/// 1 / sqrt(mean + eps) with another eps, width or kind.
template <Arithmetic A>
typename A::Value plain_inverse_norm(const Row<A>& row, const typename A::Value& sum, Index width, const scalar::Decimal& eps,
                                     bool divide) {
  const A& ar = row.ar;
  return ar.rsqrt(ar.add(divide ? ar.div(sum, ar.integer(width)) : sum, ar.constant(eps)));
}

template <Arithmetic A>
struct OtherEps : Base<A> {
  using typename Base<A>::V;
  explicit OtherEps(const char* eps) : eps_(eps) {}
  V inverse_norm(const Row<A>& row, Side, Block, const V& sum, Index width) const override {
    return plain_inverse_norm(row, sum, width, eps_, row.problem.norm.kind == NormKind::rms);
  }
  scalar::Decimal eps_;
};

template <Arithmetic A>
struct EpsOutsideSqrt : Base<A> {
  using typename Base<A>::V;
  V inverse_norm(const Row<A>& row, Side, Block, const V& sum, Index width) const override {
    const A& ar = row.ar;
    const V one = ar.integer(1);
    const V inverse = plain_inverse_norm(row, sum, width, scalar::Decimal("0"), row.problem.norm.kind == NormKind::rms);
    return ar.div(one, ar.add(ar.div(one, inverse), ar.constant(row.problem.norm.eps)));
  }
};

template <Arithmetic A>
struct L2ForRms : Base<A> {
  using typename Base<A>::V;
  V inverse_norm(const Row<A>& row, Side, Block, const V& sum, Index width) const override {
    return plain_inverse_norm(row, sum, width, row.problem.norm.eps, false);
  }
};

template <Arithmetic A>
struct RmsOver192 : Base<A> {
  using typename Base<A>::V;
  V inverse_norm(const Row<A>& row, Side side, Block block, const V& sum, Index width) const override {
    return Formula<A>::inverse_norm(row, side, block, sum, block == Block::content ? width + row.problem.rope_dim : width);
  }
};

template <Arithmetic A>
struct NormSkipped : Base<A> {
  using typename Base<A>::V;
  explicit NormSkipped(Side side) : side_(side) {}
  V inverse_norm(const Row<A>& row, Side side, Block block, const V& sum, Index width) const override {
    return side == side_ ? row.ar.integer(1) : Formula<A>::inverse_norm(row, side, block, sum, width);
  }
  Side side_;
};

/// Raw key row that the statistic is taken of: k0 (mla) or k (gqa).
template <Arithmetic A>
const typename A::Value* raw_key(const Row<A>& row, Index g, Index t, const typename A::Value* k0) {
  const problem::Problem& pb = row.problem;
  return pb.is_mla() ? k0 + t * pb.content_dim : row.k + (t * pb.groups + g) * pb.head_dim;
}

template <Arithmetic A>
struct RmsAfterGamma : Base<A> {
  using typename Base<A>::V;
  V key_alpha(const Row<A>& row, Index g, Index t, const V* k0) const override {
    const Block block = row.problem.is_mla() ? Block::content : Block::whole;
    const std::vector<V> gamma = this->weights(row, Side::key, block, g);
    const V* key = raw_key(row, g, t, k0);
    std::vector<V> weighted;
    for (std::size_t j = 0; j < gamma.size(); ++j) weighted.push_back(row.ar.mul(key[j], gamma[j]));
    const Index width = static_cast<Index>(weighted.size());
    return this->inverse_norm(row, Side::key, block, this->square_sum(row, weighted.data(), width), width);
  }
};

template <Arithmetic A>
struct RmsFromLatent : Base<A> {
  using typename Base<A>::V;
  explicit RmsFromLatent(bool with_rope) : with_rope_(with_rope) {}
  V key_alpha(const Row<A>& row, Index, Index t, const V*) const override {
    const Index r = row.problem.latent, d_r = with_rope_ ? row.problem.rope_dim : 0;
    const V sum = this->concatenated_square_sum(row, row.c + t * r, r, d_r > 0 ? row.k_rope + t * d_r : nullptr, d_r);
    return this->inverse_norm(row, Side::key, Block::content, sum, r + d_r);
  }
  bool with_rope_;
};

template <Arithmetic A>
struct RmsWrongHead : Base<A> {
  using typename Base<A>::V;
  V key_alpha(const Row<A>& row, Index g, Index t, const V* k0) const override {
    const problem::Problem& pb = row.problem;
    const Index other = (g + 1) % pb.groups;
    if (!pb.is_mla()) return Formula<A>::key_alpha(row, other, t, k0);
    const Index d_c = pb.content_dim;
    std::vector<V> key(static_cast<std::size_t>((t + 1) * d_c));  // row t of a k0 whose other rows nobody reads
    row.ar.matmul(1, d_c, pb.latent, row.c + t * pb.latent, pb.latent, row.in.at("w_k").row(other), d_c, key.data() + t * d_c, d_c, false);
    return Formula<A>::key_alpha(row, other, t, key.data());
  }
};

template <Arithmetic A>
struct RmsOfOtherToken : Base<A> {
  using typename Base<A>::V;
  /// After the last token comes the first, or itself.
  enum class Token { first, next, next_but_last };
  explicit RmsOfOtherToken(Token token) : token_(token) {}
  V key_alpha(const Row<A>& row, Index g, Index t, const V* k0) const override {
    const Index after = t + 1 < row.tokens ? t + 1 : token_ == Token::next_but_last ? t : 0;
    return Formula<A>::key_alpha(row, g, token_ == Token::first ? 0 : after, k0);
  }
  Token token_;
};

/// The statistic of another scheme, content block on both sides.
template <Arithmetic A>
struct OtherScheme : Base<A> {
  using typename Base<A>::V;
  explicit OtherScheme(NormScheme scheme) : scheme_(scheme) {}
  V key_alpha(const Row<A>& row, Index g, Index t, const V* k0) const override { return this->scheme_key_alpha(row, scheme_, g, t, k0); }
  V query_alpha(const Row<A>& row, Index s, Index h) const override {
    const problem::Problem& pb = row.problem;
    const Index d_c = pb.content_dim, d_r = problem::traits(scheme_).spans_rope ? pb.rope_dim : 0;
    const V* rope = d_r > 0 ? row.q_rope + (s * pb.heads + h) * d_r : nullptr;
    const V sum = this->concatenated_square_sum(row, row.q_content + (s * pb.heads + h) * d_c, d_c, rope, d_r);
    return this->inverse_norm(row, Side::query, Block::content, sum, d_c + d_r);
  }
  NormScheme scheme_;
};

/// Weights of one side (or both) changed element by element.
template <Arithmetic A>
struct OtherWeights : Base<A> {
  using typename Base<A>::V;
  enum class Change { drop, twice, plus_one, minus_one };
  OtherWeights(Change change, bool query, bool key) : change_(change), query_(query), key_(key) {}
  std::vector<V> weights(const Row<A>& row, Side side, Block block, Index owner) const override {
    std::vector<V> result = Formula<A>::weights(row, side, block, owner);
    if (!(side == Side::query ? query_ : key_)) return result;
    const A& ar = row.ar;
    const V one = ar.integer(1);
    for (V& w : result) {
      w = change_ == Change::drop       ? one
          : change_ == Change::twice    ? ar.mul(w, w)
          : change_ == Change::plus_one ? ar.add(w, one)
                                        : ar.sub(w, one);
    }
    return result;
  }
  Change change_;
  bool query_, key_;
};

}  // namespace equinorm::paths::faulty
