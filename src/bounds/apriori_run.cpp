// The sizes that closed forms are written in, from a problem's data.
#include <algorithm>

#include "bounds/apriori.hpp"
#include "bounds/average.hpp"
#include "bounds/linear.hpp"
#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "problem/norm_traits.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

struct AsIs {
  using Value = double;
  double input(double x) const { return x; }
  double table(double x) const { return x; }
};

constexpr double kSlack = 1 + 0x1p-30;

double length(const double* x, Index n) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += x[j] * x[j];
  return std::sqrt(sum);
}

double sum_of(const double* x, Index n) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += std::fabs(x[j]);
  return sum;
}

double largest_entry(const std::vector<double>& x) {
  double most = 1;
  for (const double value : x) most = std::max(most, std::fabs(value));
  return most;
}

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

/// Lengths of the pairs that rotate together, at both places of each.
std::vector<double> pair_lengths(const problem::Problem& pb, const double* x) {
  const bool interleaved = pb.rope.layout == problem::RopeLayout::interleaved;
  std::vector<double> out(static_cast<std::size_t>(pb.rope_dim));
  for (Index j = 0; j < pb.rope_dim; ++j) out[static_cast<std::size_t>(j)] = std::fabs(x[j]);
  const Index half = pb.rotated_dim() / 2;
  for (Index i = 0; i < half; ++i) {
    const Index a = interleaved ? 2 * i : i, b = interleaved ? a + 1 : i + half;
    out[static_cast<std::size_t>(a)] = out[static_cast<std::size_t>(b)] = std::hypot(x[a], x[b]);
  }
  return out;
}

class Run {
 public:
  Run(const Setting& at, const tensor::TensorMap& inputs, const std::set<std::string>& wanted, Sizes sizes)
      : at_(at), pb_(at.problem), norm_(problem::norm_traits(pb_)), sizes_(sizes), in_(paths::load_inputs(AsIs{}, pb_, inputs)) {
    for (const problem::TensorSpec& spec : paths::outputs_of(at.form, pb_, at.plan)) {
      const bool known = spec.name == "logits" || spec.name == "u" || spec.name == "o" || spec.name == "y";
      if (known && wanted.contains(spec.name)) out_.emplace(spec.name, Tensor<double>(spec.shape));
    }
  }

  Bounds run() {
    for (Index b = 0; b < pb_.batch; ++b) {
      const Sources sources = make_sources(at_, in_, b);
      const RowKeys row = make_row_keys(at_, in_, sources, b);
      o_ = make_vectors(pb_.queries, pb_.heads * pb_.value_dim);
      for (Index g = 0; g < pb_.groups; ++g) run_group(row, g);
      if (Tensor<double>* kept = find("y")) {
        const Vectors y = multiply_bounded(at_, o_, in_.at("w_o").data(), pb_.model_dim);
        std::copy_n(y.radius.data(), y.radius.size(), kept->row(b));
      }
    }
    for (auto& [name, bounds] : out_) {
      for (Index i = 0; i < bounds.size(); ++i) bounds[i] = bounds[i] * kSlack < kInfinity ? bounds[i] * kSlack : kInfinity;
    }
    return std::move(out_);
  }

 private:
  Tensor<double>* find(const char* name) {
    const auto found = out_.find(name);
    return found == out_.end() ? nullptr : &found->second;
  }
  bool by_lengths() const { return sizes_ == Sizes::lengths; }

  /// Of every token: |c| |W_K| [T,d_c], or its length in the first column; and rho of alpha_k as stored.
  void measure_keys(const RowKeys& row, Index g, const GroupKeys& keys) {
    const double* w = in_.at("w_k").row(g);
    const Index d = pb_.content_dim, r = pb_.latent;
    projected_ = multiply(absolute(row.sources->c.value.data(), row.tokens, r), absolute(w, r, d).data(), d);
    const double w_length = matrix_length(w, r, d);
    projected_length_.assign(static_cast<std::size_t>(row.tokens), 0), key_rho_ = projected_length_;
    const Accumulation sum = accumulation(at_.products, r);
    const double s = at_.rounds(Stored::k0) ? at_.format(Stored::k0).unit() : 0;
    const double lost = (1 + s) * sum.underflow + (at_.rounds(Stored::k0) ? at_.format(Stored::k0).product_underflow() : 0);
    for (Index t = 0; t < row.tokens; ++t) {
      const double* k0 = keys.k0.value.row(t);
      projected_length_[t] = w_length * length(row.sources->c.value.row(t), r);
      SquareSums sums;
      for (Index j = 0; j < d; ++j) sums.add(k0[j], s * std::fabs(k0[j]) + sum.factor * (1 + s) * projected_.row(t)[j] + lost);
      if (by_lengths()) {
        const double size = std::sqrt(sums.squares);
        const double error = s * size + sum.factor * (1 + s) * projected_length_[t] + lost * std::sqrt(static_cast<double>(d));
        sums.radius_squares = error * error, sums.cross = (2 * size + error) * error;
      }
      for (Index j = 0; norm_.spans_rope && j < pb_.rope_dim; ++j) sums.add(row.sources->k_rope.value.row(t)[j], 0);
      if (norm_.normed) key_rho_[t] = apriori_rho(at_, sums);
    }
  }

  void run_group(const RowKeys& row, Index g) {
    const GroupKeys keys = make_group_keys(at_, in_, row, g);
    gamma_ = weights(at_, in_, false, false, g);
    largest_gamma_q_ = 1, largest_gamma_r_ = pb_.rope_dim > 0 ? largest_entry(weights(at_, in_, false, true, g).value) : 1;
    for (Index h = 0; h < pb_.heads; ++h) {
      if (pb_.group_of(h) != g) continue;
      largest_gamma_q_ = std::max(largest_gamma_q_, largest_entry(weights(at_, in_, true, false, h).value));
      if (pb_.rope_dim > 0) largest_gamma_r_ = std::max(largest_gamma_r_, largest_entry(weights(at_, in_, true, true, h).value));
    }
    measure_keys(row, g, keys);
    std::vector<QueryIndex> rows;
    for (Index h = 0; h < pb_.heads; ++h) {
      for (Index s = 0; pb_.group_of(h) == g && s < pb_.queries; ++s) rows.push_back({s, h});
    }
    const Queries queries = make_queries(at_, in_, row, g, rows);
    const Scores scores = make_scores(at_, row, keys, queries, rows);
    const Tensor<double> v = multiply(row.sources->c.value, in_.at("w_v").row(g), pb_.value_dim);
    for (std::size_t i = 0; i < rows.size(); ++i) run_query(row, g, keys, queries, scores, v, static_cast<Index>(i), rows[i]);
  }

  LogitSizes sizes_of(const RowKeys& row, const GroupKeys& keys, const Queries& queries, Index i, Index t) const {
    const Index d = pb_.content_dim, r = pb_.latent;
    const auto token = static_cast<std::size_t>(t), query = static_cast<std::size_t>(i);
    const double alpha_k = keys.alpha[token], alpha_q = queries.alpha[query];
    const double *q = queries.content.value.row(i), *k = keys.content.value.row(t), *c = row.sources->c.value.row(t);
    LogitSizes out;
    out.explicit_sum = product_size(sizes_, q, k, d);
    std::vector<double> weighted(q, q + d);
    for (Index j = 0; j < d && !gamma_.value.empty(); ++j)
      weighted[static_cast<std::size_t>(j)] *= gamma_.value[static_cast<std::size_t>(j)];
    out.projected = alpha_k * (by_lengths() ? length(weighted.data(), d) * projected_length_[token]
                                            : product_size(sizes_, weighted.data(), projected_.row(t), d));
    const double outside = norm_.normed && at_.absorbed() && !at_.folds_alpha_q() ? alpha_q : 1;
    if (at_.absorbed()) out.latent_sum = alpha_k * outside * product_size(sizes_, queries.q_tilde.row(i), c, r);
    double content = 0, rope = 0;
    for (Index j = 0; j < d; ++j) content += q[j] * k[j];
    out.rho = (1 + key_rho_[token]) * (1 + queries.rho[query]) - 1;
    out.underflow = content_underflow(row, queries, i, t, alpha_k, outside, q, k);
    if (pb_.rope_dim > 0) {
      const Vectors& rope_keys = keys.rope.value.empty() ? row.rope : keys.rope;
      const double units = norm_.spans_rope && at_.absorbed() ? alpha_k : 1;
      const double *qr = queries.rope.value.row(i), *kr = rope_keys.value.row(t);
      for (Index j = 0; j < pb_.rope_dim; ++j) rope += units * qr[j] * kr[j];
      out.rope_sum = units * product_size(sizes_, qr, kr, pb_.rope_dim);
      const std::vector<double> q_pairs = pair_lengths(pb_, qr), k_pairs = pair_lengths(pb_, kr);
      out.rope_pairs = units * product_size(sizes_, q_pairs.data(), k_pairs.data(), pb_.rope_dim);
      if (norm_.own_rope_statistic) out.rope_rho = (1 + queries.rope.rho[query]) * (1 + rope_keys.rho[token]) - 1;
      out.underflow += rope_underflow(units, norm_.spans_rope ? outside : 1, qr, kr);
    }
    const bool lengths = by_lengths();
    out.content = lengths ? out.explicit_sum : std::fabs(content), out.rope = lengths ? out.rope_sum : std::fabs(rope);
    out.sum = lengths ? out.content + out.rope : std::fabs(content + rope);
    return out;
  }

  /// What a vector of products loses: two products by numbers of at most `factor`, a rotation, a store.
  double product_lost(Stored stored, double factor) const {
    return 2 * ((factor + 6) * at_.fx.product_underflow() + at_.format(stored).product_underflow());
  }

  double content_underflow(const RowKeys& row, const Queries& queries, Index i, Index t, double alpha_k, double outside, const double* q,
                           const double* k) const {
    const Index d = pb_.content_dim, r = pb_.latent;
    const double most_gamma = largest_entry(gamma_.value), dims = static_cast<double>(d);
    const Accumulation latent = accumulation(at_.products, r), content = accumulation(at_.products, d);
    if (at_.absorbed()) {
      const double alpha_q = at_.folds_alpha_q() ? queries.alpha[static_cast<std::size_t>(i)] : 1;
      const double of_g = product_lost(Stored::g, (most_gamma + 1) * (alpha_q + 1));
      const double size = by_lengths() ? projected_length_[t] * std::sqrt(dims) : sum_of(projected_.row(t), d);
      const double latents = sum_of(row.sources->c.value.row(t), r);
      const double of_q_tilde = at_.format(Stored::q_tilde).product_underflow() + content.underflow;
      return 2 * alpha_k * outside * (size * of_g + latents * of_q_tilde + latent.underflow) +
             2 * at_.fx.product_underflow() * (1 + alpha_k);
    }
    const double of_k = product_lost(Stored::k_hat, most_gamma) +
                        2 * alpha_k * most_gamma * (latent.underflow + at_.format(Stored::k0).product_underflow());
    const double of_q = product_lost(Stored::q_hat, largest_gamma_q_);
    // A key that cancels is as large as its error.
    const double size = by_lengths() ? projected_length_[t] * std::sqrt(dims) : sum_of(projected_.row(t), d);
    const double keys = sum_of(k, d) + 2 * latent.factor * alpha_k * most_gamma * size;
    return 2 * (of_k * sum_of(q, d) + of_q * keys + dims * of_k * of_q) + content.underflow;
  }

  double rope_underflow(double key_units, double query_units, const double* q, const double* k) const {
    const Index d = pb_.rope_dim;
    const double of_k = key_units * product_lost(Stored::k_hat, largest_gamma_r_),
                 of_q = query_units * product_lost(Stored::q_hat, largest_gamma_r_);
    return 2 * (of_k * sum_of(q, d) + key_units * of_q * sum_of(k, d) + static_cast<double>(d) * of_k * of_q) +
           key_units * query_units * accumulation(at_.products, d).underflow;
  }

  void run_query(const RowKeys& row, Index g, const GroupKeys& keys, const Queries& queries, const Scores& scores, const Tensor<double>& v,
                 Index i, const QueryIndex& query) {
    AverageSizes sizes{row.tokens, 0, 0, pb_.sink};
    if (pb_.sink) sizes.largest = std::fabs(in_.at("sink")[query.h]);
    Tensor<double>* kept = find("logits");
    bool live = pb_.sink;
    for (Index t = 0; t < row.tokens; ++t) {
      if (scores.live.row(i)[t] == 0) continue;
      live = true;
      const LogitSizes of_logit = sizes_of(row, keys, queries, i, t);
      // Where a running bound may overflow so may this.
      const double error = scores.radius.row(i)[t] < kInfinity ? apriori_logit(at_, of_logit) : kInfinity;
      if (kept != nullptr) kept->row(row.b, query.h, query.s)[t] = error;
      sizes.error = error <= sizes.error ? sizes.error : error;
      sizes.largest = std::max(sizes.largest, std::fabs(at_.scale) * of_logit.sum);
    }
    if (live) run_outputs(row, g, v, apriori_average(at_, sizes), query);
  }

  /// range_t and max_t |y| of a column, a sink's 0 among them; both sides of 0 where only lengths are known.
  struct Column {
    double range, most;
  };
  Column column_of(const Tensor<double>& y, Index j, double by_length) const {
    if (by_lengths()) return {2 * by_length, by_length};
    double low = pb_.sink ? 0 : kInfinity, high = pb_.sink ? 0 : -kInfinity;
    for (Index t = 0; t < y.dim(0); ++t) low = std::min(low, y.row(t)[j]), high = std::max(high, y.row(t)[j]);
    return {high - low, std::max(std::fabs(low), std::fabs(high))};
  }

  void run_outputs(const RowKeys& row, Index g, const Tensor<double>& v, const AprioriAverage& average, const QueryIndex& query) {
    const Tensor<double>& c = row.sources->c.value;
    const Index r = pb_.latent, d_v = pb_.value_dim;
    const double* w = in_.at("w_v").row(g);
    const Accumulation sum = accumulation(at_.products, r);
    double longest = 0, largest = 0;
    for (Index t = 0; t < row.tokens; ++t) longest = std::max(longest, length(c.row(t), r));
    for (Index t = 0; t < row.tokens * r; ++t) largest = std::max(largest, std::fabs(c[t]));
    std::vector<double> most_latent(static_cast<std::size_t>(r)), w_length(static_cast<std::size_t>(d_v));
    const double unit_u = at_.rounds(Stored::u) ? at_.format(Stored::u).unit() : 0, stored_factor = (1 + average.factor) * (1 + unit_u) - 1;
    for (Index k = 0; k < r; ++k) {
      const Column column = column_of(c, k, largest);
      most_latent[static_cast<std::size_t>(k)] = column.most;
      const double error = average.spread * column.range + average.factor * column.most + average.least;
      if (Tensor<double>* kept = find("u")) kept->row(row.b, query.s, query.h)[k] = error + at_.store(Stored::u, column.most + error);
    }
    for (Index k = 0; k < r; ++k) {
      for (Index j = 0; j < d_v; ++j) w_length[static_cast<std::size_t>(j)] += w[k * d_v + j] * w[k * d_v + j];
    }
    const double lost = 2 * (average.least + at_.format(Stored::u).product_underflow());
    for (Index j = 0; j < d_v; ++j) {
      const double column_length = std::sqrt(w_length[static_cast<std::size_t>(j)]);
      const Column column = column_of(v, j, longest * column_length);
      double through = 0, weight = 0, error = 0;
      for (Index k = 0; k < r; ++k) {
        const double size = std::fabs(w[k * d_v + j]);
        through += most_latent[static_cast<std::size_t>(k)] * size, weight += size;
      }
      if (by_lengths()) through = largest * column_length * std::sqrt(static_cast<double>(r));
      if (at_.absorbed()) {
        error = average.spread * column.range + ((1 + stored_factor) * (1 + sum.factor) - 1) * through + lost * weight + sum.underflow;
      } else {
        const double s = at_.rounds(Stored::v) ? at_.format(Stored::v).unit() : 0, size = value_size(c, w, j, longest * column_length);
        const double own = s * column.most + sum.factor * (1 + s) * size + (1 + s) * sum.underflow +
                           (at_.rounds(Stored::v) ? at_.format(Stored::v).product_underflow() : 0);
        error = average.spread * column.range + own + average.factor * (column.most + own) + average.least;
      }
      error += at_.store(Stored::o, column.most + error);
      const double crowd = 2 * static_cast<double>(row.tokens + 1) * (at_.absorbed() ? largest : column.most + error);
      if (!(crowd + error <= at_.fa.largest() / 2)) error = kInfinity;
      if (Tensor<double>* kept = find("o")) kept->row(row.b, query.s, query.h)[j] = error;
      const Index at = query.h * d_v + j;
      o_.value.row(query.s)[at] = column.most, o_.radius.row(query.s)[at] = error;
    }
  }

  /// max_t (|c_t| |W_V|)_j.
  double value_size(const Tensor<double>& c, const double* w, Index j, double by_length) const {
    if (by_lengths()) return by_length;
    double most = 0;
    for (Index t = 0; t < c.dim(0); ++t) {
      double sum = 0;
      for (Index k = 0; k < pb_.latent; ++k) sum += std::fabs(c.row(t)[k] * w[k * pb_.value_dim + j]);
      most = std::max(most, sum);
    }
    return most;
  }

  const Setting& at_;
  const problem::Problem& pb_;
  problem::NormTraits norm_;
  Sizes sizes_;
  paths::PathInputs<double> in_;
  Bounds out_;
  Vectors o_;  ///< [S,H*d_v]: largest |o| of the values, and its bound
  Weights gamma_;
  double largest_gamma_q_ = 1, largest_gamma_r_ = 1;
  Tensor<double> projected_;
  std::vector<double> projected_length_, key_rho_;
};

}  // namespace

Bounds apriori_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                      const std::set<std::string>& wanted, Sizes sizes, const FunctionErrors& functions) {
  if (!has_apriori_bounds(problem, plan)) {
    throw Error("bounds: no closed form; allowed: mla from the latent, no soft-cap, gate, full-width norm, flush or matrix unit");
  }
  const Setting at(problem, plan, form, functions);
  return Run(at, inputs, wanted, sizes).run();
}

}  // namespace equinorm::bounds
