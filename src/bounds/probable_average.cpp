#include <algorithm>

#include "bounds/linear.hpp"
#include "bounds/probable.hpp"

namespace equinorm::bounds {
namespace {

double square(double x) { return x * x; }

/// Squares of what does not come from the logits: the rounded p, the values, the sums, the quotient.
class Rest {
 public:
  Rest(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const std::vector<RowWeights>& weights,
       const Values& values)
      : at_(at), values_(values), pb_(at.problem), n_(static_cast<Index>(weights.size())), tokens_(row.tokens) {
    p_ = Tensor<double>({n_, tokens_});
    for (Index i = 0; i < n_; ++i)
      std::copy(weights[static_cast<std::size_t>(i)].p.begin(), weights[static_cast<std::size_t>(i)].p.end(), p_.row(i));
    height_ = static_cast<double>(rounding_height(at.products.order, std::max<Index>(1, tokens_))) + 4;
    sums_height_ = static_cast<double>(rounding_height(at.sums.order, std::max<Index>(1, tokens_))) + 4;
    if (at.absorbed_mla())
      latent(row, in.at("w_v").row(g));
    else
      direct();
  }

  /// Element j of row i, whose value is o.
  double squares(Index i, Index j, double o) const { return rest_.row(i)[j] + square(at_.fx.unit()) * (sums_height_ + 3) * square(o); }

 private:
  /// p v: the sum's own roundings, and those of v.
  void direct() {
    const Tensor<double> sums = multiply(p_, absolute(values_.value.data(), tokens_, pb_.value_dim).data(), pb_.value_dim);
    rest_ = Tensor<double>(sums.shape());
    for (Index i = 0; i < rest_.size(); ++i) rest_[i] = height_ * square(at_.fa.unit() * sums[i]);
    if (values_.radius.empty() || !pb_.is_mla()) return;
    const double u = at_.fa.unit(), ratio = static_cast<double>(rounding_height(at_.products.order, pb_.latent)) *
                                            square(u / accumulation(at_.products, pb_.latent).factor);
    Tensor<double> own(values_.value.shape()), p_squares(p_.shape());
    for (Index i = 0; i < own.size(); ++i) {
      const double store = at_.store(Stored::v, std::fabs(values_.value[i]));
      own[i] = square(store) + ratio * square(values_.radius[i]);
    }
    for (Index i = 0; i < p_.size(); ++i) p_squares[i] = square(p_[i]);
    const Tensor<double> carried = multiply(p_squares, own.data(), pb_.value_dim);
    for (Index i = 0; i < rest_.size(); ++i) rest_[i] += carried[i];
  }

  /// u = p c and o = u W_V.
  void latent(const RowKeys& row, const double* w_v) {
    const Tensor<double>& c = row.sources->c.value;
    const Index r = pb_.latent, d_v = pb_.value_dim;
    const Tensor<double> u = multiply(p_, c.data(), r), sums = multiply(p_, absolute(c.data(), tokens_, r).data(), r);
    Tensor<double> of_u(u.shape()), w_squares({r, d_v});
    for (Index i = 0; i < u.size(); ++i) {
      of_u[i] =
          height_ * square(at_.fa.unit() * sums[i]) + 3 * square(at_.fx.unit() * u[i]) + square(at_.store(Stored::u, std::fabs(u[i])));
    }
    for (Index i = 0; i < r * d_v; ++i) w_squares[i] = square(w_v[i]);
    rest_ = multiply(of_u, w_squares.data(), d_v);
    const Tensor<double> sizes = multiply(absolute(u.data(), n_, r), absolute(w_v, r, d_v).data(), d_v);
    const double height = static_cast<double>(rounding_height(at_.products.order, r));
    for (Index i = 0; i < rest_.size(); ++i) rest_[i] += height * square(at_.fa.unit() * sizes[i]);
  }

  const Setting& at_;
  const Values& values_;
  const problem::Problem& pb_;
  Index n_, tokens_;
  double height_ = 0, sums_height_ = 0;
  Tensor<double> p_, rest_;
};

/// Sums over the tokens of one row, all [d_v].
struct RowSums {
  std::vector<double> squares, fixed;
};

class Row {
 public:
  Row(const Setting& at, const Scores& scores, const ProbableScores& probable, const RowWeights& weights, const Values& values,
      const double* mean, Index i)
      : at_(at), scores_(scores), probable_(probable), weights_(weights), values_(values), mean_(mean), i_(i) {
    tokens_ = values.value.dim(0), width_ = values.value.dim(1);
  }

  RowSums run() {
    out_ = {std::vector<double>(static_cast<std::size_t>(width_)), std::vector<double>(static_cast<std::size_t>(width_))};
    tokenwise();
    for (const SharedRoundings& shared : probable_.shared) add(shared);
    for (const Moves& moves : probable_.moves) add(moves);
    return std::move(out_);
  }

 private:
  /// d logit / d score: below 1 under a soft-cap.
  double slope(Index t) const {
    if (at_.problem.softcap.is_zero()) return 1;
    const double ratio = scores_.logit.row(i_)[t] / at_.problem.softcap.to_double();
    return 1 - ratio * ratio;
  }

  void tokenwise() {
    const double u_p = at_.rounds(Stored::p) ? at_.format(Stored::p).unit() : 0;
    const bool centred = at_.plan.denominator_rounded;
    double least = 1;  // of sum p exp(-E)
    for (Index t = 0; t < tokens_; ++t) {
      if (scores_.live.row(i_)[t] != 0) least += weights_.p[t] * std::expm1(-error(t));
    }
    for (Index t = 0; t < tokens_; ++t) {
      if (scores_.live.row(i_)[t] == 0) continue;
      const double p = weights_.p[t], e = error(t), remainder = p * (std::expm1(e) - e + e * (1 / least - 1)) / least;
      const double sure = p * (probable_.fixed.row(i_)[t] + weights_.shift[t]) + remainder + 2 * weights_.omega[t];
      const double variance = p * p * (square(slope(t)) * probable_.variance.row(i_)[t] + (centred ? u_p * u_p : 0));
      const double beside = centred ? 0 : square(p * u_p), lost = weights_.lost[t] / weights_.least_sum;
      const double* v = values_.value.row(t);
      for (Index j = 0; j < width_; ++j) {
        const double distance = std::fabs(v[j] - mean_[j]);
        out_.squares[j] += variance * distance * distance + beside * v[j] * v[j];
        out_.fixed[j] += sure * distance + lost * std::fabs(v[j]);
      }
    }
    for (Index j = 0; j < width_; ++j) out_.fixed[j] += weights_.move_sink * std::fabs(mean_[j]);
  }

  double error(Index t) const { return probable_.bound.row(i_)[t] + weights_.shift[t]; }

  /// sum_w (scale size_w sum_t p_t (v_tj - o_j) direction_tw)^2.
  void add(const SharedRoundings& shared) {
    const Index wide = shared.direction.dim(1);
    Tensor<double> weighted({tokens_, wide}), v_t({width_, tokens_});
    std::vector<double> total(static_cast<std::size_t>(wide));
    for (Index t = 0; t < tokens_; ++t) {
      const double factor = scores_.live.row(i_)[t] != 0 ? at_.scale * weights_.p[t] * slope(t) : 0;
      for (Index w = 0; w < wide; ++w) total[w] += weighted.row(t)[w] = factor * shared.direction.row(t)[w];
      for (Index j = 0; j < width_; ++j) v_t.row(j)[t] = values_.value.row(t)[j];
    }
    const Tensor<double> sums = multiply(v_t, weighted.data(), wide);
    for (Index j = 0; j < width_; ++j) {
      for (Index w = 0; w < wide; ++w) out_.squares[j] += shared.squares.row(i_)[w] * square(sums.row(j)[w] - mean_[j] * total[w]);
    }
  }

  /// The largest |scale sum_t p_t (v_tj - o_j) move_t| of the ways to store.
  void add(const Moves& moves) {
    std::vector<double> most(static_cast<std::size_t>(width_));
    for (const Tensor<double>& move : moves) {
      std::vector<double> sums(most.size());
      for (Index t = 0; t < tokens_; ++t) {
        if (scores_.live.row(i_)[t] == 0) continue;
        const double factor = at_.scale * weights_.p[t] * slope(t) * move.row(i_)[t];
        for (Index j = 0; j < width_; ++j) sums[j] += factor * (values_.value.row(t)[j] - mean_[j]);
      }
      for (std::size_t j = 0; j < most.size(); ++j) most[j] = std::max(most[j], std::fabs(sums[j]));
    }
    for (std::size_t j = 0; j < most.size(); ++j) out_.fixed[j] += most[j];
  }

  const Setting& at_;
  const Scores& scores_;
  const ProbableScores& probable_;
  const RowWeights& weights_;
  const Values& values_;
  const double* mean_;
  Index i_, tokens_ = 0, width_ = 0;
  RowSums out_;
};

}  // namespace

Tensor<double> probable_average(const Setting& at, const paths::PathInputs<double>& in, const RowKeys& row, Index g, const Scores& scores,
                                const ProbableScores& probable, const std::vector<RowWeights>& weights, const Values& values,
                                const AverageBound& average, double lambda) {
  const Rest rest(at, in, row, g, weights, values);
  Tensor<double> out(average.mean.shape());
  for (Index i = 0; i < out.dim(0); ++i) {
    const RowWeights& of_row = weights[static_cast<std::size_t>(i)];
    if (!of_row.live) continue;
    const double* mean = average.mean.row(i);
    const RowSums sums = Row(at, scores, probable, of_row, values, mean, i).run();
    for (Index j = 0; j < out.dim(1); ++j) {
      const double before = lambda * std::sqrt(sums.squares[j] + rest.squares(i, j, mean[j])) + sums.fixed[j];
      out.row(i)[j] = before + at.store(Stored::o, std::fabs(mean[j]) + before);
    }
  }
  return out;
}

}  // namespace equinorm::bounds
