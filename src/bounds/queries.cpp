#include "bounds/queries.hpp"

#include <algorithm>
#include <optional>

#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

class QueryStage {
 public:
  QueryStage(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const std::vector<QueryIndex>& rows)
      : at_(at), in_(in), row_(row), rows_(rows), pb_(at.problem), norm_(problem::norm_traits(at.problem)) {
    gamma_k_ = weights(at, in, false, false, g);
  }

  Queries run(Index g) {
    const Index n = static_cast<Index>(rows_.size());
    Queries out;
    out.content = gather(row_.sources->q_content);
    if (pb_.is_mla() && pb_.rope_dim > 0) out.rope = gather(row_.sources->q_rope);
    out.alpha.assign(rows_.size(), 1), out.rho.assign(rows_.size(), 0);
    for (Index i = 0; i < n && norm_.normed; ++i) {
      const Statistic alpha = content_statistic(rows_[static_cast<std::size_t>(i)]);
      out.alpha[static_cast<std::size_t>(i)] = alpha.alpha, out.rho[static_cast<std::size_t>(i)] = alpha.rho;
    }
    if (at_.absorbed_mla()) absorb(g, out);
    for (Index i = 0; i < n; ++i) finish(i, out);
    return out;
  }

 private:
  /// Rows (s, h) of [S*H,width].
  Vectors gather(const Vectors& all) const {
    Vectors out = make_vectors(static_cast<Index>(rows_.size()), all.width());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Index from = rows_[i].s * pb_.heads + rows_[i].h, to = static_cast<Index>(i);
      std::copy_n(all.value.row(from), all.width(), out.value.row(to));
      std::copy_n(all.radius.row(from), all.width(), out.radius.row(to));
    }
    return out;
  }

  Statistic statistic_over(const Vectors& x, const Vectors* more, const QueryIndex& at_query) const {
    SquareSums sums;
    const Index first = at_query.s * pb_.heads + (norm_.over_all_heads ? 0 : at_query.h);
    const Index last = norm_.over_all_heads ? first + pb_.heads : first + 1;
    for (const Vectors* part : {&x, more}) {
      if (part == nullptr) continue;
      for (Index i = first; i < last; ++i) {
        for (Index j = 0; j < part->width(); ++j) sums.add(part->value.row(i)[j], part->radius.row(i)[j]);
      }
    }
    return statistic(statistic_arithmetic(at_, sums.width), sums);
  }

  Statistic content_statistic(const QueryIndex& query) const {
    const bool with_rope = norm_.spans_rope && pb_.rope_dim > 0;
    return statistic_over(row_.sources->q_content, with_rope ? &row_.sources->q_rope : nullptr, query);
  }

  const Weights& gamma_q(bool rope, Index h) {
    auto& known = rope ? rope_weights_ : content_weights_;
    if (known.empty()) known.resize(static_cast<std::size_t>(pb_.heads));
    std::optional<Weights>& entry = known[static_cast<std::size_t>(h)];
    if (!entry) entry = weights(at_, in_, true, rope, h);
    return *entry;
  }

  /// q_hat of row i. Where alpha_q is applied to the score the kernel's own vector lacks it; value
  /// and radius are given in units of q_hat all the same.
  void finish(Index i, Queries& out) {
    const QueryIndex& query = rows_[static_cast<std::size_t>(i)];
    const double alpha = out.alpha[static_cast<std::size_t>(i)], rho = out.rho[static_cast<std::size_t>(i)];
    const bool folded = norm_.normed && at_.folds_alpha_q();
    const Weights& weight = gamma_q(false, query.h);
    Finish how;
    how.weight = &weight, how.alpha = alpha, how.rho = rho, how.scaled = folded, how.stored = Stored::q_hat;
    if (!pb_.is_mla()) set_rotation(at_, in_, *in_.positions_q.row(row_.b, query.s), how);
    finish_row(at_, how, out.content, i);
    if (norm_.normed && !folded) scale_row(alpha, out.content, i);
    if (!out.rope.value.empty()) {
      const Weights& rope_weight = gamma_q(true, query.h);
      how.weight = &rope_weight;
      how.scaled = folded && norm_.spans_rope;
      if (norm_.own_rope_statistic) {
        const Statistic own = statistic_over(row_.sources->q_rope, nullptr, query);
        how.alpha = own.alpha, how.rho = own.rho, how.scaled = true;
      }
      set_rotation(at_, in_, *in_.positions_q.row(row_.b, query.s), how);
      finish_row(at_, how, out.rope, i);
      if (norm_.spans_rope && !folded) scale_row(alpha, out.rope, i);
    }
  }

  static void scale_row(double factor, Vectors& x, Index i) {
    for (Index j = 0; j < x.width(); ++j) {
      x.value.row(i)[j] *= factor, x.radius.row(i)[j] *= factor;
      if (!x.stored.empty()) x.stored.row(i)[j] *= factor;
    }
  }

  /// g = q gamma_q gamma_k [alpha_q] and q_tilde = g W_K^T.
  void absorb(Index g, Queries& out) {
    const Index n = static_cast<Index>(rows_.size()), d_c = pb_.content_dim, r = pb_.latent;
    Vectors factors = gather(row_.sources->q_content);
    for (Index i = 0; i < n; ++i) {
      Finish how;
      how.weight = &gamma_q(false, rows_[static_cast<std::size_t>(i)].h), how.unstored = true;
      finish_row(at_, how, factors, i);
      // gamma_k comes before alpha_q: what underflows there is multiplied by alpha_q, and what overflows there is lost.
      how.weight = &gamma_k_;
      finish_row(at_, how, factors, i);
      how.weight = nullptr;
      how.alpha = out.alpha[static_cast<std::size_t>(i)], how.rho = out.rho[static_cast<std::size_t>(i)];
      how.scaled = norm_.normed && at_.folds_alpha_q(), how.unstored = false, how.stored = Stored::g;
      finish_row(at_, how, factors, i);
    }
    Tensor<double> magnitude({n, d_c});
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < d_c; ++j) magnitude.row(i)[j] = factors.magnitude(i, j);
    }
    const double* w = in_.at("w_k").row(g);
    Tensor<double> w_t({d_c, r}), abs_t({d_c, r});
    for (Index k = 0; k < r; ++k) {
      for (Index j = 0; j < d_c; ++j) w_t.row(j)[k] = w[k * d_c + j], abs_t.row(j)[k] = std::fabs(w[k * d_c + j]);
    }
    out.q_tilde = multiply(factors.value, w_t.data(), r);
    out.q_tilde_alone = out.q_tilde;
    out.q_tilde_held = factors.stored.empty() ? out.q_tilde : multiply(factors.stored, w_t.data(), r);
    out.q_tilde_radius = multiply(factors.radius, abs_t.data(), r);
    double underflow = accumulation(at_.products, d_c).underflow;
    underflow += matrix_unit_underflow(at_.products, d_c, std::max(largest_of(magnitude), largest_of(abs_t)));
    out.q_tilde_local = sum_errors(at_.products, std::move(magnitude), abs_t.data(), r, at_.fa.largest());
    double largest_rho = 0;
    for (const double rho : factors.rho) largest_rho = std::max(largest_rho, rho);
    if (at_.follow_sums) {
      Tensor<double> spread = factors.radius;
      for (Index i = 0; i < spread.size(); ++i) spread[i] += std::fabs(factors.held()[i] - factors.value[i]) * (1 + largest_rho);
      follow(at_, factors.value, w_t.data(), r, multiply(spread, abs_t.data(), r), 1 + largest_rho, out.q_tilde_local);
    }
    out.q_tilde_moved = Tensor<double>({n, r});
    for (Index i = 0; i < n; ++i) {
      const double rho = factors.rho[static_cast<std::size_t>(i)];
      for (Index k = 0; k < r; ++k) store_q_tilde(rho, underflow, i, k, out);
    }
    if (!factors.stored.empty()) {
      out.g_shift = factors.stored;
      for (Index i = 0; i < out.g_shift.size(); ++i) out.g_shift[i] -= factors.value[i];
    }
    out.g_radius = std::move(factors.radius), out.g = std::move(factors.value);
  }

  /// Adds the store to what accumulation did. A number known by itself has no part of g's error left.
  void store_q_tilde(double rho, double underflow, Index i, Index k, Queries& out) const {
    double &middle = out.q_tilde_held.row(i)[k], &local = out.q_tilde_local.row(i)[k], &radius = out.q_tilde_radius.row(i)[k];
    local += underflow;
    const double common = rho * std::max(std::fabs(middle), std::fabs(out.q_tilde_alone.row(i)[k])), before = radius + local;
    const Rounding::Held held = at_.held_near(Stored::q_tilde, middle, common + before);
    double& alone = out.q_tilde_alone.row(i)[k];
    const Rounding::Held other = at_.held_near(Stored::q_tilde, alone, rho * std::fabs(alone) + before);
    double& moved = out.q_tilde_moved.row(i)[k];
    moved = std::fabs(middle - alone);  // both still without their own store
    if (held.known && other.known) {
      moved = std::max(moved, std::fabs(held.middle - alone));
      middle = held.middle, alone = other.middle;
      moved = std::max(moved, std::fabs(other.shift));
      local = radius = std::max(held.radius + rho * std::fabs(held.shift), other.radius + rho * std::fabs(other.shift));
    } else {
      const double store =
          at_.store(Stored::q_tilde, (std::max(std::fabs(middle), std::fabs(alone)) + 2 * (common + before)) * (1 + 0x1p-50));
      local += store, radius = before + store;
    }
  }

  const Setting& at_;
  const paths::PathInputs<double>& in_;
  const RowKeys& row_;
  const std::vector<QueryIndex>& rows_;
  const problem::Problem& pb_;
  problem::NormTraits norm_;
  Weights gamma_k_;
  std::vector<std::optional<Weights>> content_weights_, rope_weights_;
};

}  // namespace

Queries make_queries(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g,
                     const std::vector<QueryIndex>& rows) {
  return QueryStage(at, in, row, g, rows).run(g);
}

}  // namespace equinorm::bounds
