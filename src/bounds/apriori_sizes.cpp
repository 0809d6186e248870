#include "bounds/apriori_sizes.hpp"

#include <algorithm>

#include "bounds/linear.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

double sum_of(const double* x, Index n) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += std::fabs(x[j]);
  return sum;
}

double largest_entry(const double* x, Index n, double most) {
  for (Index j = 0; j < n; ++j) most = std::max(most, std::fabs(x[j]));
  return most;
}
double largest_entry(const std::vector<double>& x) { return largest_entry(x.data(), static_cast<Index>(x.size()), 1); }

/// || |W| ||_2 <= sqrt(||W||_1 ||W||_inf), W [rows,width].
double matrix_length(const double* w, Index rows, Index width) {
  std::vector<double> columns(static_cast<std::size_t>(width));
  double of_rows = 0;
  for (Index i = 0; i < rows; ++i) {
    of_rows = std::max(of_rows, sum_of(w + i * width, width));
    for (Index j = 0; j < width; ++j) columns[static_cast<std::size_t>(j)] += std::fabs(w[i * width + j]);
  }
  return std::sqrt(of_rows * *std::max_element(columns.begin(), columns.end()));
}

/// |q_j k_j| summed, by components or by lengths.
double product_size(Sizes sizes, const double* q, const double* k, Index n) {
  if (sizes == Sizes::lengths) return length(q, n) * length(k, n);
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += std::fabs(q[j] * k[j]);
  return sum;
}

/// The dims of a vector that turn.
struct Turning {
  Index first, count;
};

/// |x_j|, and where pairs rotate together their lengths at both places, of n numbers.
std::vector<double> pair_lengths(const problem::Problem& pb, const double* x, Index n) {
  const bool interleaved = pb.rope.layout == problem::RopeLayout::interleaved;
  std::vector<double> out(static_cast<std::size_t>(n));
  for (Index j = 0; j < n; ++j) out[static_cast<std::size_t>(j)] = std::fabs(x[j]);
  const Index half = pb.rotated_dim() / 2;
  for (Index i = 0; i < half; ++i) {
    const Index a = interleaved ? 2 * i : i, b = interleaved ? a + 1 : i + half;
    out[static_cast<std::size_t>(a)] = out[static_cast<std::size_t>(b)] = std::hypot(x[a], x[b]);
  }
  return out;
}

/// Sums of squares of one token, k0 with its a-priori radius.
class KeySums {
 public:
  KeySums(const Setting& at, Sizes sizes) : at_(at), sizes_(sizes), factor_(accumulation(at.products, at.problem.latent).factor) {
    s_ = at.rounds(Stored::k0) ? at.format(Stored::k0).unit() : 0;
  }

  void add(const double* k0, const double* projected, double projected_length, double lost) {
    const Index d = at_.problem.content_dim;
    for (Index j = 0; j < d; ++j) sums_.add(k0[j], s_ * std::fabs(k0[j]) + factor_ * (1 + s_) * projected[j] + lost);
    size_squares_ = sums_.squares, projected_squares_ += projected_length * projected_length;
    lost_squares_ += lost * lost * static_cast<double>(d);
  }

  void add_exact(const double* x, Index n) {
    for (Index j = 0; j < n; ++j) sums_.add(x[j], 0);
  }

  /// By lengths: ||e|| <= s ||k0|| + D (1+s) || |c| |W_K| || + what is lost.
  SquareSums finish() {
    if (sizes_ == Sizes::components) return sums_;
    const double size = std::sqrt(size_squares_);
    const double error = s_ * size + factor_ * (1 + s_) * std::sqrt(projected_squares_) + std::sqrt(lost_squares_);
    sums_.radius_squares = error * error, sums_.cross = (2 * size + error) * error;
    return sums_;
  }

 private:
  const Setting& at_;
  Sizes sizes_;
  double factor_, s_ = 0, size_squares_ = 0, projected_squares_ = 0, lost_squares_ = 0;
  SquareSums sums_;
};

/// |c| |W_K| of one group, and lengths of its rows.
struct Projected {
  Tensor<double> sums;
  std::vector<double> lengths;
  double most;
};

Projected project(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g) {
  const Index d = at.problem.content_dim, r = at.problem.latent;
  const double* w = in.at("w_k").row(g);
  const Tensor<double>& c = row.sources->c.value;
  Projected out{multiply(absolute(c.data(), row.tokens, r), absolute(w, r, d).data(), d), {}, largest_entry(w, r * d, 0)};
  const double size = matrix_length(w, r, d);
  for (Index t = 0; t < row.tokens; ++t) out.lengths.push_back(size * length(c.row(t), r));
  return out;
}

/// What k0 loses besides its relative errors.
double key_lost(const Setting& at, const RowKeys& row, double most_w) {
  const Tensor<double>& c = row.sources->c.value;
  const double s = at.rounds(Stored::k0) ? at.format(Stored::k0).unit() : 0;
  return (1 + s) * sum_lost(at, at.problem.latent, std::max(most_w, largest_entry(c.data(), c.size(), 0))) +
         (at.rounds(Stored::k0) ? at.format(Stored::k0).product_underflow() : 0);
}

/// rho of every token.
std::vector<double> key_rho(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys,
                            const Projected& projected, Sizes sizes) {
  const problem::Problem& pb = at.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  std::vector<double> rho(static_cast<std::size_t>(row.tokens));
  if (!norm.normed) return rho;
  std::vector<KeySums> sums(rho.size(), KeySums(at, sizes));
  const Index first = norm.over_all_heads ? 0 : g, last = norm.over_all_heads ? pb.groups : g + 1;
  for (Index group = first; group < last; ++group) {
    const Projected other = pb.is_mla() && group != g ? project(at, in, row, group) : Projected{};
    const Projected& own = group == g ? projected : other;
    const double lost = pb.is_mla() ? key_lost(at, row, own.most) : 0;
    for (Index t = 0; t < row.tokens; ++t) {
      KeySums& of_token = sums[static_cast<std::size_t>(t)];
      if (!pb.is_mla()) {
        of_token.add_exact(row.sources->k.value.row(t * pb.groups + group), pb.head_dim);
      } else {
        const Vectors& k0 = norm.over_all_heads ? row.k0[static_cast<std::size_t>(group)] : keys.k0;
        of_token.add(k0.value.row(t), own.sums.row(t), own.lengths[static_cast<std::size_t>(t)], lost);
      }
    }
  }
  for (Index t = 0; t < row.tokens; ++t) {
    KeySums& of_token = sums[static_cast<std::size_t>(t)];
    if (pb.is_mla() && norm.spans_rope) of_token.add_exact(row.sources->k_rope.value.row(t), pb.rope_dim);
    rho[static_cast<std::size_t>(t)] = apriori_rho(at, of_token.finish());
  }
  return rho;
}

/// Sizes of one logit.
class Logit {
 public:
  Logit(const Setting& at, Sizes sizes, const RowKeys& row, const GroupKeys& keys, const KeyMeasures& measures, const Queries& queries,
        Index i, Index t)
      : at_(at),
        pb_(at.problem),
        norm_(problem::norm_traits(pb_)),
        sizes_(sizes),
        row_(row),
        keys_(keys),
        measures_(measures),
        queries_(queries),
        i_(i),
        t_(t) {
    alpha_k_ = keys.alpha[static_cast<std::size_t>(t)];
    alpha_q_ = norm_.normed && at.absorbed() && !at.folds_alpha_q() ? queries.alpha[static_cast<std::size_t>(i)] : 1;
  }

  LogitSizes run() {
    out_.rho = (1 + measures_.rho[static_cast<std::size_t>(t_)]) * (1 + queries_.rho[static_cast<std::size_t>(i_)]) - 1;
    double content = 0, rope = 0;
    if (pb_.is_mla()) {
      content = mla_content();
      if (pb_.rope_dim > 0) rope = mla_rope();
    } else {
      const double units = norm_.normed && at_.absorbed() ? alpha_k_ : 1;
      const Index turning = pb_.rotated_dim(), rest = pb_.head_dim - turning;
      const bool last = pb_.rope.part == problem::RopePart::last;
      content = units * plain(last ? 0 : turning, rest, units);
      rope = units * turned(queries_.content.value.row(i_), keys_.content.value.row(t_), {last ? rest : 0, turning}, units);
      add_product_lost(queries_.content.value.row(i_), keys_.content.value.row(t_), pb_.head_dim, units, alpha_q_,
                       largest_entry(measures_.gamma.value), measures_.most_gamma_q);
    }
    if (at_.absorbed()) out_.underflow += 2 * at_.fx.product_underflow() * (1 + alpha_k_);
    const bool lengths = sizes_ == Sizes::lengths;
    out_.content = lengths ? out_.explicit_sum : std::fabs(content), out_.rope = lengths ? out_.rope_sum : std::fabs(rope);
    out_.sum = lengths ? out_.content + out_.rope : std::fabs(content + rope);
    return out_;
  }

 private:
  /// Dims that do not turn.
  double plain(Index first, Index count, double units) {
    const double *q = queries_.content.value.row(i_) + first, *k = keys_.content.value.row(t_) + first;
    out_.explicit_sum = units * product_size(sizes_, q, k, count);
    double sum = 0;
    for (Index j = 0; j < count; ++j) sum += q[j] * k[j];
    return sum;
  }

  double turned(const double* q, const double* k, Turning turning, double units) {
    q += turning.first, k += turning.first;
    out_.rope_sum = units * product_size(sizes_, q, k, turning.count);
    const std::vector<double> q_pairs = pair_lengths(pb_, q, turning.count), k_pairs = pair_lengths(pb_, k, turning.count);
    out_.rope_pairs = units * product_size(sizes_, q_pairs.data(), k_pairs.data(), turning.count);
    double sum = 0;
    for (Index j = 0; j < turning.count; ++j) sum += q[j] * k[j];
    return sum;
  }

  double mla_content() {
    const Index d = pb_.content_dim, r = pb_.latent;
    const double *q = queries_.content.value.row(i_), *k = keys_.content.value.row(t_);
    const double content = plain(0, d, 1);
    std::vector<double> weighted(q, q + d);
    for (Index j = 0; j < d && !measures_.gamma.value.empty(); ++j) {
      weighted[static_cast<std::size_t>(j)] *= measures_.gamma.value[static_cast<std::size_t>(j)];
    }
    const double by_length = measures_.projected_length[static_cast<std::size_t>(t_)];
    out_.projected = alpha_k_ * (sizes_ == Sizes::lengths ? length(weighted.data(), d) * by_length
                                                          : product_size(sizes_, weighted.data(), measures_.projected.row(t_), d));
    if (at_.absorbed()) {
      out_.latent_sum = alpha_k_ * alpha_q_ * product_size(sizes_, queries_.q_tilde.row(i_), row_.sources->c.value.row(t_), r);
      add_latent_lost(by_length);
    } else {
      const double most_gamma = largest_entry(measures_.gamma.value);
      add_product_lost(q, k, d, 1, 1, most_gamma, measures_.most_gamma_q,
                       2 * alpha_k_ * most_gamma * key_lost(at_, row_, measures_.most_w));
    }
    return content;
  }

  double mla_rope() {
    const Vectors& rope_keys = keys_.rope.value.empty() ? row_.rope : keys_.rope;
    const double units = norm_.spans_rope && at_.absorbed() ? alpha_k_ : 1;
    const double *q = queries_.rope.value.row(i_), *k = rope_keys.value.row(t_);
    const double rope = units * turned(q, k, {0, pb_.rope_dim}, units);
    if (norm_.own_rope_statistic) {
      out_.rope_rho = (1 + queries_.rope.rho[static_cast<std::size_t>(i_)]) * (1 + rope_keys.rho[static_cast<std::size_t>(t_)]) - 1;
    }
    add_product_lost(q, k, pb_.rope_dim, units, norm_.spans_rope ? alpha_q_ : 1, measures_.most_gamma_rope, measures_.most_gamma_rope);
    out_.underflow += at_.fa.sum_underflow() * (1 + alpha_k_) * (1 + alpha_q_);  // content and RoPE are joined
    return rope;
  }

  /// What a vector of products loses: two products by numbers of at most `factor`, a rotation, a store.
  double product_lost(Stored stored, double factor) const {
    return 2 * ((factor + 6) * at_.fx.product_underflow() + at_.format(stored).product_underflow());
  }

  /// q . k of vectors that the kernel holds in these units of q_hat and k_hat.
  void add_product_lost(const double* q, const double* k, Index d, double key_units, double query_units, double key_factor,
                        double query_factor, double of_source = 0) {
    const double of_k = key_units * product_lost(Stored::k_hat, key_factor) + of_source,
                 of_q = query_units * product_lost(Stored::q_hat, query_factor);
    const double most = 2 * std::max(largest_entry(q, d, 0) / query_units, largest_entry(k, d, 0)) + 1;
    out_.underflow += 2 * (of_k * sum_of(q, d) + key_units * of_q * sum_of(k, d) + static_cast<double>(d) * of_k * of_q) +
                      key_units * query_units * sum_lost(at_, d, most);
  }

  void add_latent_lost(double by_length) {
    const Index d = pb_.content_dim, r = pb_.latent;
    const Tensor<double>& c = row_.sources->c.value;
    const double folded = at_.folds_alpha_q() ? queries_.alpha[static_cast<std::size_t>(i_)] : 1;
    const double most_gamma = largest_entry(measures_.gamma.value);
    const double of_g = product_lost(Stored::g, (most_gamma + 1) * (folded + 1));
    const double size = sizes_ == Sizes::lengths ? by_length * std::sqrt(static_cast<double>(d)) : sum_of(measures_.projected.row(t_), d);
    const double most_g = 2 * largest_entry(queries_.g.row(i_), d, 0) + 1, most_q = 2 * largest_entry(queries_.q_tilde.row(i_), r, 0) + 1;
    const double of_q_tilde = at_.format(Stored::q_tilde).product_underflow() + sum_lost(at_, d, std::max(most_g, measures_.most_w));
    out_.underflow +=
        2 * alpha_k_ * alpha_q_ * (size * of_g + sum_of(c.row(t_), r) * of_q_tilde + sum_lost(at_, r, largest_entry(c.row(t_), r, most_q)));
  }

  const Setting& at_;
  const problem::Problem& pb_;
  problem::NormTraits norm_;
  Sizes sizes_;
  const RowKeys& row_;
  const GroupKeys& keys_;
  const KeyMeasures& measures_;
  const Queries& queries_;
  Index i_, t_;
  double alpha_k_ = 1, alpha_q_ = 1;  ///< of what multiplies the score; 1 where it does not
  LogitSizes out_;
};

}  // namespace

double sum_lost(const Setting& at, Index width, double most) {
  return accumulation(at.products, width).underflow + matrix_unit_underflow(at.products, width, most);
}

KeyMeasures measure_keys(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const GroupKeys& keys,
                         Sizes sizes) {
  const problem::Problem& pb = at.problem;
  Projected projected = pb.is_mla() ? project(at, in, row, g) : Projected{};
  KeyMeasures out;
  out.rho = key_rho(at, in, row, g, keys, projected, sizes);
  out.gamma = weights(at, in, false, false, g);
  const bool has_rope = pb.is_mla() && pb.rope_dim > 0;
  if (has_rope) out.most_gamma_rope = largest_entry(weights(at, in, false, true, g).value);
  for (Index h = 0; h < pb.heads; ++h) {
    if (pb.group_of(h) != g) continue;
    out.most_gamma_q = std::max(out.most_gamma_q, largest_entry(weights(at, in, true, false, h).value));
    if (has_rope) out.most_gamma_rope = std::max(out.most_gamma_rope, largest_entry(weights(at, in, true, true, h).value));
  }
  out.projected = std::move(projected.sums), out.projected_length = std::move(projected.lengths), out.most_w = projected.most;
  return out;
}

LogitSizes logit_sizes(const Setting& at, Sizes sizes, const RowKeys& row, const GroupKeys& keys, const KeyMeasures& measures,
                       const Queries& queries, Index i, Index t) {
  return Logit(at, sizes, row, keys, measures, queries, i, t).run();
}

}  // namespace equinorm::bounds
