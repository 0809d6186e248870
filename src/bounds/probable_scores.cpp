#include <algorithm>

#include "bounds/probable.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

/// Squares of the roundings of finished vectors, and those of subnormal numbers, which are no random ones.
struct Roundings {
  Tensor<double> squares, fixed;
};

double square(double x) { return x * x; }

Tensor<double> squared(const Tensor<double>& x) {
  Tensor<double> out(x.shape());
  for (Index i = 0; i < x.size(); ++i) out[i] = x[i] * x[i];
  return out;
}

Tensor<double> magnitudes(const Tensor<double>& x) { return absolute(x.data(), x.dim(0), x.dim(1)); }

/// Which dims of a vector turn: a rounding before the rotation is relative to the pair.
struct Turning {
  Index first = 0, count = 0;
};

/// `products` roundings in f_x of each entry, then the store: what is not known of it.
Roundings roundings_of(const Setting& at, const Vectors& vectors, int products, Turning turning, Stored stored) {
  const Tensor<double>& x = vectors.value;
  Roundings out{squared(x), Tensor<double>(x.shape())};
  const bool interleaved = at.problem.rope.layout == problem::RopeLayout::interleaved;
  const double u = at.fx.unit(), normal = scalar::limits(at.format(stored).format()).smallest_normal;
  for (Index i = 0; i < x.dim(0); ++i) {
    double* squares = out.squares.row(i);
    for (Index n = 0; n < turning.count / 2; ++n) {
      const Index a = turning.first + (interleaved ? 2 * n : n), b = interleaved ? a + 1 : a + turning.count / 2;
      squares[a] = squares[b] = 1.02 * (squares[a] + squares[b]);
    }
    for (Index j = 0; j < x.dim(1); ++j) {
      const double value = std::fabs(x.row(i)[j]);
      squares[j] *= products * u * u;
      if (!at.rounds(stored)) continue;
      if (vectors.held().row(i)[j] != x.row(i)[j]) {
        squares[j] += square(vectors.radius.row(i)[j]);
      } else if (value > 0 && value < normal) {
        out.fixed.row(i)[j] = at.store(stored, value);
      } else {
        squares[j] += square(at.store(stored, value * (1 + 2 * u)) - at.format(stored).sum_underflow());
      }
    }
  }
  return out;
}

/// Squares of what an accumulation and a store did to x, but for what is known of it: `held` then differs from x. Else the joint radius
/// stands for the accumulation's: too large by the store's share, of which 1/h counts.
Tensor<double> squares_of_sums(const Setting& at, const Tensor<double>& value, const Tensor<double>& held, const Tensor<double>& radius,
                               Stored stored, Index depth) {
  Tensor<double> out(value.shape());
  const double h = static_cast<double>(rounding_height(at.products.order, depth)), u = at.fa.unit();
  const double ratio = h * square(u / accumulation(at.products, depth).factor);
  for (Index i = 0; i < out.size(); ++i) {
    const double store = at.store(stored, std::fabs(value[i]));
    out[i] = held[i] != value[i] ? square(radius[i]) : square(store) + ratio * square(radius[i]);
  }
  return out;
}

class Stage {
 public:
  Stage(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys, const Queries& queries,
        const Scores& scores, double lambda)
      : at_(at), row_(row), keys_(keys), queries_(queries), scores_(scores), lambda_(lambda), pb_(at.problem) {
    norm_ = problem::norm_traits(pb_);
    n_ = scores.logit.dim(0), tokens_ = scores.logit.dim(1);
    gamma_ = weights(at, in, false, false, g);
    has_rope_ = pb_.is_mla() && pb_.rope_dim > 0;
    key_outside_ = norm_.normed && at.absorbed(), query_outside_ = norm_.normed && !at.folds_alpha_q();
  }

  ProbableScores run() {
    out_ = {Tensor<double>({n_, tokens_}), Tensor<double>({n_, tokens_}), Tensor<double>({n_, tokens_}), {}, {}};
    content_ = multiply_transposed(queries_.content.value, keys_.content.value);
    if (has_rope_) rope_ = multiply_transposed(queries_.rope.value, rope_keys().value);
    if (at_.absorbed_mla()) {
      latent_products();
    } else {
      products_of(queries_.content, keys_.content, content_turning(), content_products(), !pb_.is_mla() && key_outside_);
    }
    // The RoPE part of a unified score is in units of the key's own alpha.
    if (has_rope_) products_of(queries_.rope, rope_keys(), {0, pb_.rotated_dim()}, 5, norm_.spans_rope && key_outside_);
    sensitivities();
    shared_ = Tensor<double>({n_, tokens_});
    for (const SharedRoundings& shared : out_.shared) {
      const Tensor<double> part = multiply_transposed(shared.squares, squared(shared.direction));
      for (Index i = 0; i < shared_.size(); ++i) shared_[i] += part[i];
    }
    moved_ = Tensor<double>({n_, tokens_});
    for (const Moves& moves : out_.moves) {
      const Tensor<double> part = largest_moves(moves, moved_.shape());
      for (Index i = 0; i < moved_.size(); ++i) moved_[i] += part[i];
    }
    second_order_ = second_order();
    for (Index i = 0; i < n_; ++i) {
      for (Index t = 0; t < tokens_; ++t) {
        if (scores_.live.row(i)[t] != 0) finish(i, t);
      }
    }
    return std::move(out_);
  }

 private:
  const Vectors& rope_keys() const { return keys_.rope.value.empty() ? row_.rope : keys_.rope; }

  Turning content_turning() const {
    if (pb_.is_mla() || pb_.rotated_dim() == 0) return {};
    return {pb_.rope.part == problem::RopePart::last ? pb_.head_dim - pb_.rope_dim : 0, pb_.rotated_dim()};
  }
  int content_products() const { return 3 + (pb_.is_mla() ? 0 : 2); }

  /// A dot product of two rounded vectors: the token's roundings, the query's, and the sum's own.
  void products_of(const Vectors& q, const Vectors& k, Turning turning, int products, bool times_alpha) {
    const Roundings of_q = roundings_of(at_, q, products, turning, Stored::q_hat),
                    of_k = roundings_of(at_, k, products, turning, Stored::k_hat);
    const Accumulation sum = accumulation(at_.products, q.width());
    const double height = static_cast<double>(rounding_height(at_.products.order, q.width())) * square(at_.fa.unit());
    const Tensor<double> tokenwise = multiply_transposed(squared(q.value), of_k.squares), abs_q = magnitudes(q.value),
                         abs_k = magnitudes(k.value), sizes = multiply_transposed(abs_q, abs_k);
    Tensor<double> fixed = multiply_transposed(abs_q, of_k.fixed);
    const Tensor<double> more = multiply_transposed(of_q.fixed, abs_k);
    Tensor<double> direction = k.value;
    for (Index t = 0; t < tokens_ && times_alpha; ++t) {
      for (Index j = 0; j < k.width(); ++j) direction.row(t)[j] *= keys_.alpha[t];
    }
    for (Index i = 0; i < n_; ++i) {
      for (Index t = 0; t < tokens_; ++t) {
        const double units = times_alpha ? keys_.alpha[t] : 1;
        out_.variance.row(i)[t] += square(units) * (tokenwise.row(i)[t] + height * square(sizes.row(i)[t]));
        out_.fixed.row(i)[t] += units * (fixed.row(i)[t] + more.row(i)[t] + sum.underflow);
      }
    }
    out_.shared.push_back({of_q.squares, std::move(direction)});
    out_.moves.push_back(moves_by_stores(q, k, multiply_transposed(q.value, k.value)));
    for (Tensor<double>& move : out_.moves.back()) {
      for (Index i = 0; i < n_ && times_alpha; ++i) {
        for (Index t = 0; t < tokens_; ++t) move.row(i)[t] *= keys_.alpha[t];
      }
    }
  }

  /// z = q_tilde c: the stored g and q_tilde are shared by all tokens, the sum is not.
  void latent_products() {
    Vectors g{queries_.g, queries_.g_shift, queries_.g_radius, {}};
    for (Index i = 0; i < g.stored.size(); ++i) g.stored[i] += g.value[i];
    const Roundings of_g = roundings_of(at_, g, 5, {}, Stored::g);
    const Tensor<double>& c = row_.sources->c.value;
    Tensor<double> of_q_tilde =
        squares_of_sums(at_, queries_.q_tilde, queries_.q_tilde_held, queries_.q_tilde_local, Stored::q_tilde, pb_.content_dim);
    Tensor<double> of_g_squares = of_g.squares, k_direction = keys_.k0.value, c_direction = c;
    for (Index t = 0; t < tokens_; ++t) {
      for (Index j = 0; j < pb_.content_dim; ++j) k_direction.row(t)[j] *= keys_.alpha[t];
      for (Index k = 0; k < pb_.latent; ++k) c_direction.row(t)[k] *= keys_.alpha[t];
    }
    const double height = static_cast<double>(rounding_height(at_.products.order, pb_.latent)) * square(at_.fa.unit());
    const Tensor<double> sizes = multiply_transposed(magnitudes(queries_.q_tilde), magnitudes(c)),
                         fixed = multiply_transposed(of_g.fixed, magnitudes(keys_.k0.value));
    const Accumulation sum = accumulation(at_.products, pb_.latent);
    for (Index i = 0; i < n_; ++i) {
      const double alpha_q = query_outside_ ? queries_.alpha[static_cast<std::size_t>(i)] : 1;
      for (Index j = 0; j < pb_.content_dim; ++j) of_g_squares.row(i)[j] *= square(alpha_q);
      for (Index k = 0; k < pb_.latent; ++k) of_q_tilde.row(i)[k] *= square(alpha_q);
      for (Index t = 0; t < tokens_; ++t) {
        const double units = alpha_q * keys_.alpha[t];
        out_.variance.row(i)[t] += height * square(units * sizes.row(i)[t]);
        out_.fixed.row(i)[t] += units * (fixed.row(i)[t] + sum.underflow);
      }
    }
    out_.shared.push_back({std::move(of_g_squares), std::move(k_direction)});
    out_.shared.push_back({std::move(of_q_tilde), std::move(c_direction)});
    out_.moves.push_back(latent_moves(at_, row_, keys_, queries_));
  }

  /// k0 enters the explicit key through a_j = alpha gamma_j and every key through its statistic, d alpha / alpha = -b_j d k0_j, b = nu
  /// alpha^2 k0: sum (a_j q_j - l b_j)^2 beta_j^2.
  void sensitivities() {
    alpha_squares_.assign(static_cast<std::size_t>(tokens_), 0);
    if (!pb_.is_mla()) return;
    const Tensor<double> beta = squares_of_sums(at_, keys_.k0.value, keys_.k0.value, keys_.k0.radius, Stored::k0, pb_.latent);
    Tensor<double> direct(beta.shape()), cross(beta.shape());
    for (Index t = 0; t < tokens_; ++t) {
      const double nu_alpha = nu() * square(keys_.alpha[t]);
      for (Index j = 0; j < pb_.content_dim; ++j) {
        const double gamma = gamma_.value.empty() ? 1 : gamma_.value[static_cast<std::size_t>(j)], b = nu_alpha * keys_.k0.value.row(t)[j];
        const double a = at_.absorbed() ? 0 : keys_.alpha[t] * gamma;
        direct.row(t)[j] = a * a * beta.row(t)[j], cross.row(t)[j] = a * b * beta.row(t)[j];
      }
      for (const Vectors& k0 : norm_.over_all_heads ? row_.k0 : std::vector<Vectors>{}) add_alpha_squares(k0, t, nu_alpha);
      if (!norm_.over_all_heads && norm_.normed) add_alpha_squares(keys_.k0, t, nu_alpha);
    }
    if (at_.absorbed()) return;
    direct_ = multiply_transposed(squared(queries_.content.value), direct);
    cross_ = multiply_transposed(queries_.content.value, cross);
  }

  double nu() const {
    if (!norm_.normed) return 0;
    const Index width = pb_.content_dim * (norm_.over_all_heads ? pb_.groups : 1) + (norm_.spans_rope ? pb_.rope_dim : 0);
    return statistic_arithmetic(at_, width).nu;
  }

  void add_alpha_squares(const Vectors& k0, Index t, double nu_alpha) {
    const double h = static_cast<double>(rounding_height(at_.products.order, pb_.latent)), u = at_.fa.unit();
    const double ratio = h * square(u / accumulation(at_.products, pb_.latent).factor);
    for (Index j = 0; j < k0.width(); ++j) {
      const double value = k0.value.row(t)[j], store = at_.store(Stored::k0, std::fabs(value));
      const double beta = square(store) + ratio * square(k0.radius.row(t)[j]);
      alpha_squares_[t] += square(nu_alpha * value) * beta;
    }
  }

  void finish(Index i, Index t) {
    const auto r = static_cast<std::size_t>(i), token = static_cast<std::size_t>(t);
    const double alpha = keys_.alpha[token], u = at_.fx.unit(), scale = std::fabs(at_.scale);
    const bool unified = norm_.spans_rope;
    const double content = (key_outside_ && !pb_.is_mla() ? alpha : 1) * content_.row(i)[t];
    const double rope = has_rope_ ? (unified && key_outside_ ? alpha : 1) * rope_.row(i)[t] : 0;
    const double normed = unified ? content + rope : content, logit = scores_.logit.row(i)[t];
    double variance = out_.variance.row(i)[t] + square(normed) * alpha_squares_[token];
    if (!direct_.empty()) variance += std::max(0.0, direct_.row(i)[t] - 2 * normed * cross_.row(i)[t]);
    if (norm_.normed && at_.rounds(Stored::alpha)) variance += square(normed * at_.store(Stored::alpha, alpha) / alpha);
    variance += (key_outside_ + query_outside_) * square(u * normed) + (has_rope_ ? square(at_.fa.unit() * (content + rope)) : 0);
    double fixed = out_.fixed.row(i)[t] + (keys_.rounding[token] + queries_.rho[r]) * std::fabs(normed);
    if (norm_.own_rope_statistic && has_rope_) fixed += (rope_keys().rho[token] + queries_.rope.rho[r]) * std::fabs(rope);
    fixed = scale * fixed + u * std::fabs(scale * (content + rope)) + at_.fx.product_underflow();
    if (!pb_.softcap.is_zero()) fixed += (at_.e_tanh + 4 * u) * std::fabs(logit);
    variance = square(scale) * variance;
    const double rigorous = scores_.radius.row(i)[t];
    const double all = variance + square(scale) * shared_.row(i)[t];
    const double product = u * std::fabs(logit),
                 computed = lambda_ * std::sqrt(all) + scale * moved_.row(i)[t] + fixed + product + second_order_ * rigorous,
                 store = at_.store(Stored::logits, std::fabs(logit) + computed), bound = computed + store;
    out_.variance.row(i)[t] = variance + square(product) + square(store), out_.fixed.row(i)[t] = fixed;
    out_.bound.row(i)[t] = bound < rigorous ? bound : rigorous;
  }

  /// 4 (u_s + D_r): products of two errors.
  double second_order() const {
    double u_s = 0;
    for (const Stored tensor : {Stored::alpha, Stored::q_tilde, Stored::g, Stored::k0, Stored::k_hat, Stored::q_hat}) {
      if (at_.rounds(tensor)) u_s = std::max(u_s, at_.format(tensor).unit());
    }
    return 4 * (u_s + accumulation(at_.products, pb_.is_mla() ? pb_.latent : pb_.head_dim).factor);
  }

  const Setting& at_;
  const RowKeys& row_;
  Index n_ = 0, tokens_ = 0;
  const GroupKeys& keys_;
  const Queries& queries_;
  const Scores& scores_;
  double lambda_, second_order_ = 0;
  const problem::Problem& pb_;
  problem::NormTraits norm_{};
  Weights gamma_;
  bool has_rope_ = false, key_outside_ = false, query_outside_ = false;
  Tensor<double> content_, rope_, direct_, cross_, shared_, moved_;
  std::vector<double> alpha_squares_;
  ProbableScores out_;
};

}  // namespace

ProbableScores probable_scores(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys,
                               const Queries& queries, const Scores& scores, double lambda) {
  return Stage(at, in, row, g, keys, queries, scores, lambda).run();
}

}  // namespace equinorm::bounds
