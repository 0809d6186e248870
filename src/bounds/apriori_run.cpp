// Closed forms of every output, stage by stage.
#include <algorithm>

#include "bounds/apriori_sizes.hpp"
#include "bounds/average.hpp"
#include "bounds/linear.hpp"
#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

struct AsIs {
  using Value = double;
  double input(double x) const { return x; }
  double table(double x) const { return x; }
};

constexpr double kSlack = 1 + 0x1p-30;

class Run {
 public:
  Run(const Setting& at, const tensor::TensorMap& inputs, const std::set<std::string>& wanted, Sizes sizes)
      : at_(at), pb_(at.problem), sizes_(sizes), in_(paths::load_inputs(AsIs{}, pb_, inputs)) {
    for (const problem::TensorSpec& spec : paths::outputs_of(at.form, pb_, at.plan)) {
      const std::set<std::string> known{"logits", "u", "o", "o_gated", "y"};
      if (known.contains(spec.name) && wanted.contains(spec.name)) out_.emplace(spec.name, Tensor<double>(spec.shape));
    }
  }

  Bounds run() {
    for (Index b = 0; b < pb_.batch; ++b) {
      const Sources sources = make_sources(at_, in_, b);
      const RowKeys row = make_row_keys(at_, in_, sources, b);
      o_ = make_vectors(pb_.queries, pb_.heads * pb_.value_dim);
      for (Index g = 0; g < pb_.groups; ++g) run_group(row, g);
      if (pb_.output_gate) apply_gate(b);
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
  /// range_t and max_t |y| of a column, a sink's 0 among them; both sides of 0 where only lengths are known.
  struct Column {
    double range, most;
  };

  Tensor<double>* find(const char* name) {
    const auto found = out_.find(name);
    return found == out_.end() ? nullptr : &found->second;
  }
  bool by_lengths() const { return sizes_ == Sizes::lengths; }

  void run_group(const RowKeys& row, Index g) {
    const GroupKeys keys = make_group_keys(at_, in_, row, g);
    const KeyMeasures measures = measure_keys(at_, in_, row, g, keys, sizes_);
    std::vector<QueryIndex> rows;
    for (Index h = 0; h < pb_.heads; ++h) {
      for (Index s = 0; pb_.group_of(h) == g && s < pb_.queries; ++s) rows.push_back({s, h});
    }
    const Queries queries = make_queries(at_, in_, row, g, rows);
    const Scores scores = make_scores(at_, row, keys, queries, rows);
    const Tensor<double> v = exact_values(row, g);
    for (std::size_t i = 0; i < rows.size(); ++i) run_query(row, g, keys, measures, queries, scores, v, static_cast<Index>(i), rows[i]);
  }

  Tensor<double> exact_values(const RowKeys& row, Index g) const {
    if (pb_.is_mla()) return multiply(row.sources->c.value, in_.at("w_v").row(g), pb_.value_dim);
    Tensor<double> v({row.tokens, pb_.value_dim});
    for (Index t = 0; t < row.tokens; ++t) std::copy_n(row.sources->v.value.row(t * pb_.groups + g), pb_.value_dim, v.row(t));
    return v;
  }

  void run_query(const RowKeys& row, Index g, const GroupKeys& keys, const KeyMeasures& measures, const Queries& queries,
                 const Scores& scores, const Tensor<double>& v, Index i, const QueryIndex& query) {
    AverageSizes sizes{row.tokens, 0, 0, largest_of(absolute(v.data(), row.tokens, pb_.value_dim)), pb_.sink};
    if (at_.absorbed_mla()) {
      sizes.value = std::max(sizes.value, largest_of(absolute(row.sources->c.value.data(), row.tokens, pb_.latent)));
    }
    if (pb_.sink) sizes.largest = std::fabs(in_.at("sink")[query.h]);
    Tensor<double>* kept = find("logits");
    bool live = pb_.sink;
    for (Index t = 0; t < row.tokens; ++t) {
      if (scores.live.row(i)[t] == 0) continue;
      live = true;
      const LogitSizes of_logit = logit_sizes(at_, sizes_, row, keys, measures, queries, i, t);
      // Where a running bound may overflow so may this.
      const double error = scores.radius.row(i)[t] < kInfinity ? apriori_logit(at_, of_logit) : kInfinity;
      if (kept != nullptr) kept->row(row.b, query.h, query.s)[t] = error;
      sizes.error = error <= sizes.error ? sizes.error : error;
      sizes.largest = std::max(sizes.largest, std::fabs(at_.scale) * of_logit.sum);
    }
    if (!live) return;
    const AprioriAverage average = apriori_average(at_, sizes);
    if (pb_.is_mla()) {
      run_latent_outputs(row, g, v, average, query);
    } else {
      for (Index j = 0; j < pb_.value_dim; ++j) {
        const Column column = column_of(v, j, sizes.value);
        keep_output(row, j, column, average.spread * column.range + average.factor * column.most + average.least, column.most, query);
      }
    }
  }

  /// Stores element j of o; `crowd` is the largest of what the kernel adds up.
  void keep_output(const RowKeys& row, Index j, const Column& column, double error, double crowd, const QueryIndex& query) {
    error += at_.store(Stored::o, column.most + error);
    const double summed = 2 * static_cast<double>(row.tokens + 1) * (crowd + (at_.absorbed_mla() ? 0 : error));
    if (!(summed + error <= at_.fa.largest() / 2)) error = kInfinity;
    if (Tensor<double>* kept = find("o")) kept->row(row.b, query.s, query.h)[j] = error;
    const Index at = query.h * pb_.value_dim + j;
    o_.value.row(query.s)[at] = column.most, o_.radius.row(query.s)[at] = error;
  }

  /// o times sigmoid(gate): sizes and radii of o become those of the product.
  void apply_gate(Index b) {
    const double* gate = in_.at("gate").row(b);
    const double rounding = phi(1, at_.fx.unit()) + at_.e_sigmoid * (1 + at_.fx.unit());
    for (Index i = 0; i < o_.value.size(); ++i) {
      const double sigmoid = 1 / (1 + std::exp(-gate[i])) * (1 + 0x1p-50), before = o_.radius[i], most = o_.value[i];
      o_.value[i] = most * sigmoid;
      o_.radius[i] = sigmoid * before * (1 + rounding) + rounding * o_.value[i] + at_.fx.product_underflow() * (1 + most + before);
    }
    if (Tensor<double>* kept = find("o_gated")) std::copy_n(o_.radius.data(), o_.radius.size(), kept->row(b));
  }

  Column column_of(const Tensor<double>& y, Index j, double by_length) const {
    if (by_lengths()) return {2 * by_length, by_length};
    double low = pb_.sink ? 0 : kInfinity, high = pb_.sink ? 0 : -kInfinity;
    for (Index t = 0; t < y.dim(0); ++t) low = std::min(low, y.row(t)[j]), high = std::max(high, y.row(t)[j]);
    return {high - low, std::max(std::fabs(low), std::fabs(high))};
  }

  void run_latent_outputs(const RowKeys& row, Index g, const Tensor<double>& v, const AprioriAverage& average, const QueryIndex& query) {
    const Tensor<double>& c = row.sources->c.value;
    const Index r = pb_.latent, d_v = pb_.value_dim;
    const double* w = in_.at("w_v").row(g);
    const Accumulation sum = accumulation(at_.products, r);
    double longest = 0, largest = 0;
    for (Index t = 0; t < row.tokens; ++t) longest = std::max(longest, length(c.row(t), r));
    for (Index t = 0; t < row.tokens * r; ++t) largest = std::max(largest, std::fabs(c[t]));
    double held = largest_of(absolute(w, r, d_v));
    const double v_lost = sum_lost(at_, r, std::max(held, largest));
    std::vector<double> most_latent(static_cast<std::size_t>(r)), w_length(static_cast<std::size_t>(d_v));
    const double unit_u = at_.rounds(Stored::u) ? at_.format(Stored::u).unit() : 0, stored_factor = (1 + average.factor) * (1 + unit_u) - 1;
    for (Index k = 0; k < r; ++k) {
      const Column column = column_of(c, k, largest);
      most_latent[static_cast<std::size_t>(k)] = column.most;
      const double error = average.spread * column.range + average.factor * column.most + average.least;
      const double stored = error + at_.store(Stored::u, column.most + error);
      held = std::max(held, column.most + stored);
      if (Tensor<double>* kept = find("u")) kept->row(row.b, query.s, query.h)[k] = stored;
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
        error =
            average.spread * column.range + ((1 + stored_factor) * (1 + sum.factor) - 1) * through + lost * weight + sum_lost(at_, r, held);
      } else {
        const double s = at_.rounds(Stored::v) ? at_.format(Stored::v).unit() : 0, size = value_size(c, w, j, longest * column_length);
        const double own = s * column.most + sum.factor * (1 + s) * size + (1 + s) * v_lost +
                           (at_.rounds(Stored::v) ? at_.format(Stored::v).product_underflow() : 0);
        error = average.spread * column.range + own + average.factor * (column.most + own) + average.least;
      }
      keep_output(row, j, column, error, at_.absorbed() ? largest : column.most, query);
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
  Sizes sizes_;
  paths::PathInputs<double> in_;
  Bounds out_;
  Vectors o_;  ///< [S,H*d_v]: largest |o| of the values, and its bound
};

}  // namespace

Bounds apriori_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                      const std::set<std::string>& wanted, Sizes sizes, const FunctionErrors& functions) {
  if (!has_apriori_bounds(problem, plan)) {
    throw Error("bounds: no closed form for a problem that starts at x; allowed: one that starts at the latent");
  }
  const Setting at(problem, plan, form, functions);
  return Run(at, inputs, wanted, sizes).run();
}

}  // namespace equinorm::bounds
