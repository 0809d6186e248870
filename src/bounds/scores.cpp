#include "bounds/scores.hpp"

#include <algorithm>

#include "bounds/linear.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

bool sees(const problem::Problem& pb, Index b, Index s, Index t) {
  if (pb.mask.kind == problem::MaskKind::none) return true;
  const Index last = pb.query_position(b, s);
  if (last < 0 || t > last) return false;
  return pb.mask.kind == problem::MaskKind::causal || t > last - pb.mask.window;
}

Tensor<double> difference(Tensor<double> x, const Tensor<double>& y) {
  for (Index i = 0; i < x.size(); ++i) x[i] -= y[i];
  return x;
}

void add_to(Tensor<double>& x, const Tensor<double>& more) {
  for (Index i = 0; i < x.size(); ++i) x[i] += more[i];
}

/// One score: its exact value, how far stored factors move it, and how far the kernel's is from there.
struct Score {
  double value = 0, moved = 0, radius = 0;

  double size() const { return std::fabs(value) + moved; }
};

class ScoreStage {
 public:
  ScoreStage(const Setting& at, const RowKeys& row, const GroupKeys& keys, const Queries& queries, const std::vector<QueryIndex>& rows)
      : at_(at), row_(row), keys_(keys), queries_(queries), rows_(rows), pb_(at.problem), norm_(problem::norm_traits(at.problem)) {}

  Scores run() {
    const Index n = static_cast<Index>(rows_.size()), tokens = row_.tokens;
    has_rope_ = pb_.is_mla() && pb_.rope_dim > 0;
    const bool one_chain =
        at_.plan.precision.order.kind == scalar::SumOrder::Kind::any && has_rope_ && (!at_.absorbed() || norm_.spans_rope || !norm_.normed);
    const Index depth = at_.absorbed_mla() ? pb_.latent : keys_.content.width();
    const Accumulation content_sum = accumulation(at_.products, depth + (one_chain ? pb_.rope_dim : 0));
    const Accumulation rope_sum = one_chain ? content_sum : accumulation(at_.products, pb_.rope_dim);
    std::vector<double> raw(rows_.size(), 1);
    for (std::size_t i = 0; i < raw.size() && norm_.normed && !at_.folds_alpha_q(); ++i) raw[i] = 1 / queries_.alpha[i];
    const bool rope_raw_units = norm_.spans_rope && !queries_.rope_has_alpha;
    const std::vector<double> rope_raw = rope_raw_units ? raw : std::vector<double>(rows_.size(), 1);
    content_underflow_ = content_sum.underflow, rope_underflow_ = rope_sum.underflow;
    const auto factors = [&](Index width, const Accumulation& sum) {
      return one_chain ? std::vector<double>(static_cast<std::size_t>(width), sum.factor) : term_factors(at_.products, width);
    };
    if (at_.absorbed_mla()) {
      content_ = {
          multiply_transposed(queries_.content.value, keys_.content.value), {}, latent_radius(content_sum, factors(depth, content_sum)), 0};
      content_.moved = largest_moves(latent_moves(at_, row_, keys_, queries_), {n, tokens});
      content_underflow_ += matrix_unit_underflow(at_.products, depth, latent_factor_);
    } else {
      content_ = contract(at_, queries_.content, keys_.content, factors(depth, content_sum), raw);
      content_underflow_ += matrix_unit_underflow(at_.products, depth, content_.largest_factor);
    }
    if (has_rope_) {
      rope_ = contract(at_, queries_.rope, keys_.rope.value.empty() ? row_.rope : keys_.rope, factors(pb_.rope_dim, rope_sum), rope_raw);
      rope_underflow_ += matrix_unit_underflow(at_.products, pb_.rope_dim, rope_.largest_factor);
    }
    const auto empty = [&] { return Tensor<double>({n, tokens}); };
    Scores out{empty(), empty(), empty(), {}, Tensor<std::uint8_t>({n, tokens})};
    for (Index i = 0; i < n; ++i) {
      for (Index t = 0; t < tokens; ++t) {
        if (!sees(pb_, row_.b, rows_[static_cast<std::size_t>(i)].s, row_.first + t)) continue;
        out.live.row(i)[t] = 1;
        finish(i, t, out);
      }
    }
    return out;
  }

 private:
  /// Error of z = q_tilde c, in the kernel's units: q_tilde's own error against |c|, that of g against |k0|.
  Tensor<double> latent_radius(const Accumulation& sum, const std::vector<double>& factors) {
    const Index n = queries_.q_tilde.dim(0), r = pb_.latent;
    const Vectors& c = row_.sources->c;
    const bool folded = norm_.normed && at_.folds_alpha_q();
    Tensor<double> local({n, r}), held({n, r});
    for (Index i = 0; i < n; ++i) {
      const double f = folded ? 1 + queries_.rho[static_cast<std::size_t>(i)] : 1;
      for (Index k = 0; k < r; ++k) {
        held.row(i)[k] = f * (std::fabs(queries_.q_tilde.row(i)[k]) + queries_.q_tilde_moved.row(i)[k]) + queries_.q_tilde_radius.row(i)[k];
        local.row(i)[k] = queries_.q_tilde_local.row(i)[k] + factors[static_cast<std::size_t>(k)] * held.row(i)[k];
      }
    }
    Tensor<double> magnitude = absolute(c.value.data(), row_.tokens, r);
    for (Index i = 0; i < magnitude.size(); ++i) magnitude[i] += c.radius[i];
    Tensor<double> radius = multiply_transposed(local, magnitude);
    if (!queries_.g_radius.empty()) {
      add_to(radius, multiply_transposed(queries_.g_radius, absolute_keys()));
    }
    if (has_radius(c.radius)) add_to(radius, multiply_transposed(held, c.radius));
    if (at_.follow_sums) {
      Tensor<double> operands = multiply_transposed(queries_.q_tilde_local, magnitude);
      if (!queries_.g_radius.empty()) add_to(operands, multiply_transposed(queries_.g_radius, absolute_keys()));
      if (has_radius(c.radius)) add_to(operands, multiply_transposed(held, c.radius));
      double factor = 1;
      for (std::size_t i = 0; i < queries_.rho.size() && folded; ++i) factor = std::max(factor, 1 + queries_.rho[i]);
      follow_products(at_, queries_.q_tilde, c.value, operands, multiply_transposed(queries_.q_tilde_moved, magnitude), factor, radius);
    }
    guard_overflow(held, magnitude, sum, radius);
    if (has_matrix_unit(at_.products)) latent_factor_ = std::max(largest_of(held), largest_of(magnitude));
    return radius;
  }

  /// The latent logit before alpha_k may overflow although the logit does not: its absolute sum must fit (finite_dot).
  void guard_overflow(const Tensor<double>& held, const Tensor<double>& magnitude, const Accumulation& sum, Tensor<double>& radius) const {
    if (at_.fa.largest() > 1e30) return guard_by_norms(held, magnitude, radius);
    const Tensor<double> sums = multiply_transposed(held, magnitude);
    for (Index i = 0; i < sums.size(); ++i) {
      if (!(sums[i] * (1 + sum.factor) <= at_.fa.largest())) radius[i] = kInfinity;
    }
  }

  /// Cauchy-Schwarz: enough where the range is wide.
  void guard_by_norms(const Tensor<double>& held, const Tensor<double>& magnitude, Tensor<double>& radius) const {
    const auto lengths = [](const Tensor<double>& x) {
      std::vector<double> out;
      for (Index i = 0; i < x.dim(0); ++i) {
        double sum = 0;
        for (Index j = 0; j < x.dim(1); ++j) sum += x.row(i)[j] * x.row(i)[j];
        out.push_back(std::sqrt(sum));
      }
      return out;
    };
    const std::vector<double> q = lengths(held), c = lengths(magnitude);
    for (std::size_t i = 0; i < q.size(); ++i) {
      for (std::size_t t = 0; t < c.size(); ++t) {
        if (!(q[i] * c[t] <= at_.fa.largest() / 16)) radius.row(static_cast<Index>(i))[t] = kInfinity;
      }
    }
  }

  /// |k0|, exact: binary64's own error added. Every radius of k0 holds `own` times the absolute sum.
  Tensor<double> absolute_keys() const {
    Tensor<double> out = absolute(keys_.k0.value.data(), row_.tokens, pb_.content_dim);
    const double own = 0x1.01p-53 * static_cast<double>(pb_.latent + 4) / at_.products.own;
    for (Index i = 0; i < out.size(); ++i) out[i] += own * keys_.k0.radius[i];
    return out;
  }

  void finish(Index i, Index t, Scores& out) const {
    const auto row = static_cast<std::size_t>(i), token = static_cast<std::size_t>(t);
    const bool query_outside = norm_.normed && !at_.folds_alpha_q(), key_outside = norm_.normed && at_.absorbed();
    const double alpha_k = keys_.alpha[token], f_q = 1 + queries_.rho[row], f_k = 1 + keys_.rho[token];
    // Content, in units of the explicit product q_hat k_hat.
    const double to_units = (key_outside ? alpha_k : 1) * (at_.absorbed_mla() && query_outside ? queries_.alpha[row] : 1);
    const bool raw_keys = key_outside && !pb_.is_mla();
    Score content{(raw_keys ? alpha_k : 1) * content_.value.row(i)[t], (raw_keys ? alpha_k : 1) * content_.moved.row(i)[t], 0};
    const double raw_units = (key_outside ? alpha_k : 1) * (query_outside ? queries_.alpha[row] : 1);  // of the kernel's own dot product
    content.radius = to_units * content_.radius.row(i)[t] + raw_units * content_underflow_;
    const bool unified = norm_.spans_rope;
    Score rope;
    double rope_factor = 0;
    if (has_rope_) {
      const double units = unified && key_outside ? alpha_k : 1;
      rope.value = units * rope_.value.row(i)[t], rope.moved = units * rope_.moved.row(i)[t];
      rope.radius = units * rope_.radius.row(i)[t] + (unified && !queries_.rope_has_alpha ? raw_units : units) * rope_underflow_;
      const std::vector<double>& rope_rho = keys_.rope.value.empty() ? row_.rope.rho : keys_.rope.rho;
      if (norm_.own_rope_statistic) rope_factor = (1 + queries_.rope.rho[row]) * (1 + rope_rho[token]) - 1;
    }
    const double fx = at_.fx.unit();
    const int products = (query_outside ? 1 : 0) + (key_outside ? 1 : 0);
    const double rounding = phi(products, fx), outside = (query_outside ? f_q : 1) * (key_outside ? f_k : 1);
    const double factor = (f_q * f_k - 1) + rounding * f_q * f_k;
    const double underflow = products * at_.fx.product_underflow() * (1 + alpha_k * f_k);
    const auto scaled = [&](double value, double radius) {
      return (1 + rounding) * outside * radius + factor * std::fabs(value) + underflow;
    };
    const auto join = [&](double value, double radius, double common) {
      return has_rope_ ? radius + at_.fa.relative((1 + common) * std::fabs(value) + radius) + at_.fa.sum_underflow() * (1 + alpha_k)
                       : radius;
    };
    Score total{content.value + rope.value, content.moved + rope.moved, 0};
    if (unified && query_outside && queries_.rope_has_alpha) {
      // alpha_q on the content alone, the addition, then alpha_k on both.
      const double lost = at_.fx.product_underflow() * (1 + alpha_k * f_k);
      const double normed = (1 + fx) * f_q * content.radius + ((1 + fx) * f_q - 1) * content.size() + lost;
      const double joined = join(total.size(), normed + rope.radius, 0);
      total.radius = (1 + fx) * f_k * joined + ((1 + fx) * f_k - 1) * total.size() + lost;
    } else if (unified) {
      total.radius = scaled(total.size(), join(total.size(), content.radius + rope.radius, f_q * f_k - 1));
    } else {
      total.radius = join(total.size(), scaled(content.size(), content.radius) + rope.radius + rope_factor * rope.size(), 0);
    }
    if (!fits(total.size(), unified ? total.size() : content.size(), f_q * f_k, total.radius,
              query_outside ? raw_units
              : key_outside ? alpha_k
                            : 1,
              query_outside && key_outside ? alpha_k : 1)) {
      total.radius = kInfinity;
    }
    const double normed = unified ? total.size() : content.size(),
                 own = (1 + rounding) * outside * (unified ? content.radius + rope.radius : content.radius),
                 moved = unified ? total.moved : content.moved;
    const double unshared =
        moved + own + rounding * f_q * f_k * std::fabs(normed) + underflow +
        (has_rope_ ? f_q * f_k * (at_.fa.relative(total.size() + total.radius) + at_.fa.sum_underflow() * (1 + alpha_k)) : 0);
    finish_logit(total, queries_.rope_has_alpha ? kInfinity : f_q * f_k * unshared, i, t, out);
  }

  /// The joined score, and the part of it that alphas multiply: before them (in units of `raw`), between them, and after.
  bool fits(double total, double scaled, double factor, double radius, double raw, double between) const {
    const double most = std::min(at_.fa.largest(), at_.fx.largest()), held = factor * std::fabs(scaled) + radius;
    return std::fabs(total) + radius <= most && held / raw <= most && held / between <= most;
  }

  /// scale, soft-cap, store; scale and cap are held rounded.
  void finish_logit(const Score& total, double unshared, Index i, Index t, Scores& out) const {
    const Rounding& fx = at_.fx;
    const double two = phi(2, fx.unit()), scale = std::fabs(at_.scale);
    double logit = at_.scale * total.value;
    const double rounding = two * scale * (total.size() + total.radius) + fx.product_underflow();
    double radius = scale * (total.moved + total.radius) + rounding;
    unshared = scale * unshared + rounding;
    if (!pb_.softcap.is_zero()) {
      const double cap = pb_.softcap.to_double(), before = logit;
      logit = cap * std::tanh(logit / cap);
      // tanh is 1-Lipschitz: the argument's error, rounded cap and quotient included, passes on; then tanh, cap and product.
      const double argument = radius * (1 + two) + two * std::fabs(before) + cap * fx.product_underflow();
      const double last = phi(2, fx.unit()) + at_.e_tanh * (1 + two) + 0x1p-50;  // binary64's own tanh and its argument
      radius = argument * (1 + last) + last * std::fabs(logit) + (1 + cap) * fx.product_underflow();
      unshared = radius;
    }
    const double store = at_.store_near(Stored::logits, logit, radius);
    radius += store, unshared += store;
    if (!(std::fabs(logit) + radius <= fx.largest())) radius = kInfinity;
    out.logit.row(i)[t] = logit;
    out.radius.row(i)[t] = radius < kInfinity ? radius : kInfinity;
    out.unshared.row(i)[t] = radius < kInfinity ? unshared : kInfinity;
  }

  const Setting& at_;
  const RowKeys& row_;
  const GroupKeys& keys_;
  const Queries& queries_;
  const std::vector<QueryIndex>& rows_;
  const problem::Problem& pb_;
  problem::NormTraits norm_;
  bool has_rope_ = false;
  double content_underflow_ = 0, rope_underflow_ = 0, latent_factor_ = 0;
  Contraction content_, rope_;
};

}  // namespace

Moves latent_moves(const Setting& at, const RowKeys& row, const GroupKeys& keys, const Queries& queries) {
  Moves moves;
  if (!queries.g_shift.empty()) moves.push_back(multiply_transposed(queries.g_shift, keys.k0.value));
  for (const Tensor<double>* stored : {&queries.q_tilde_alone, &queries.q_tilde_held}) {
    const Tensor<double> shift = difference(*stored, queries.q_tilde);
    if (has_radius(shift)) moves.push_back(multiply_transposed(shift, row.sources->c.value));
  }
  const bool query_outside = problem::norm_traits(at.problem).normed && !at.folds_alpha_q();
  for (Tensor<double>& move : moves) {
    for (Index i = 0; i < move.dim(0); ++i) {
      const double alpha_q = query_outside ? queries.alpha[static_cast<std::size_t>(i)] : 1;
      for (Index t = 0; t < row.tokens; ++t) move.row(i)[t] *= alpha_q * keys.alpha[static_cast<std::size_t>(t)];
    }
  }
  return moves;
}

Scores make_scores(const Setting& at, const RowKeys& row, const GroupKeys& keys, const Queries& queries,
                   const std::vector<QueryIndex>& rows) {
  return ScoreStage(at, row, keys, queries, rows).run();
}

}  // namespace equinorm::bounds
