#include "bounds/average.hpp"

#include <algorithm>

#include "bounds/linear.hpp"

namespace equinorm::bounds {
namespace {

/// Rows of one member of RowWeights as a matrix [n,T].
Tensor<double> matrix(const std::vector<RowWeights>& rows, std::vector<double> RowWeights::*member, Index tokens) {
  Tensor<double> out({static_cast<Index>(rows.size()), tokens});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double>& source = rows[i].*member;
    std::copy(source.begin(), source.end(), out.row(static_cast<Index>(i)));
  }
  return out;
}

/// sum_t move_t |y_t - mean| and max_t |y_t - mean| of one row, the sink (y = 0) included.
struct Spread {
  std::vector<double> moved, own, most;
};

Spread spread_of(const RowWeights& row, const std::uint8_t* live, const Values& values, const double* mean) {
  const Index tokens = values.value.dim(0), width = values.value.dim(1);
  const auto w = static_cast<std::size_t>(width);
  Spread out{std::vector<double>(w), std::vector<double>(w), std::vector<double>(w)};
  double* moved = out.moved.data();
  double* own = out.own.data();
  double* most = out.most.data();
  for (Index t = 0; t < tokens; ++t) {
    if (live[t] == 0) continue;
    const double move = row.move[t], mine = row.own[t];
    const double* y = values.value.row(t);
    for (Index j = 0; j < width; ++j) {
      const double distance = std::fabs(y[j] - mean[j]);
      moved[j] += move * distance, own[j] += mine * distance;
      most[j] = distance > most[j] ? distance : most[j];
    }
  }
  for (Index j = 0; j < width && row.upper_sink > 0; ++j) {
    moved[j] += row.move_sink * std::fabs(mean[j]), most[j] = std::max(most[j], std::fabs(mean[j]));
  }
  return out;
}

class Averager {
 public:
  Averager(const Setting& at, const std::vector<RowWeights>& rows, const Scores& scores, const Values& values)
      : at_(at), rows_(rows), scores_(scores), values_(values), tokens_(values.value.dim(0)), width_(values.value.dim(1)) {}

  AverageBound run() {
    const Index n = static_cast<Index>(rows_.size());
    const auto empty = [&] { return Tensor<double>({n, width_}); };
    AverageBound out{multiply(matrix(rows_, &RowWeights::p, tokens_), values_.value.data(), width_), empty(), empty(), empty(), empty()};
    Tensor<double> held = absolute(values_.value.data(), tokens_, width_);
    for (Index i = 0; i < held.size() && !values_.radius.empty(); ++i) held[i] += values_.radius[i];
    for (Index i = 0; i < held.size(); ++i) held[i] += values_.own.empty() ? 0 : values_.own[static_cast<std::size_t>(i % width_)];
    const Tensor<double> upper = matrix(rows_, &RowWeights::upper, tokens_);
    const Tensor<double> sums = multiply(upper, held.data(), width_),
                         lost = multiply(matrix(rows_, &RowWeights::lost, tokens_), held.data(), width_);
    if (!values_.radius.empty()) out.carried = multiply(met(upper), values_.radius.data(), width_);
    largest(held);
    held_ = &held;
    for (Index i = 0; i < n; ++i) finish(i, sums, lost, out);
    return out;
  }

 private:
  /// Upper bounds of the weights that meet the values: stored ones, which may exceed those in the denominator. In the absorbed form what
  /// the store does to the latents' own errors appears nowhere else (absorbed_kernel_error).
  Tensor<double> met(Tensor<double> upper) const {
    for (Index i = 0; i < upper.dim(0); ++i) {
      const RowWeights& row = rows_[static_cast<std::size_t>(i)];
      if (!row.live || !row.normalised || !(row.least_sum > 0)) continue;  // else `upper` is that of the given weights, or nothing is known
      for (Index t = 0; t < tokens_; ++t) {
        double& weight = upper.row(i)[t];
        weight += row.p_rounding * weight + row.lost[static_cast<std::size_t>(t)] / row.least_sum;
      }
    }
    return upper;
  }

  /// Whether the sum over the tokens, before it is divided, stays finite whatever the weights are: a reference that is not yet the row's
  /// maximum makes each of them as large as 1, but for the roundings of exp.
  bool sum_fits(Index i, Index j) const {
    const RowWeights& row = rows_[static_cast<std::size_t>(i)];
    if (!(row.least_sum > 0)) return false;
    const double fits = at_.fa.largest() * row.least_sum / ((1 + row.numerator) * (1 + row.p_rounding));
    if (all_[static_cast<std::size_t>(j)] <= fits) return true;
    double sum = 0;
    for (Index t = 0; t < tokens_; ++t) sum += scores_.live.row(i)[t] != 0 ? held_->row(t)[j] : 0;
    return sum <= fits;
  }

  /// Largest magnitude and radius of each column, and its sum of magnitudes.
  void largest(const Tensor<double>& held) {
    most_.assign(static_cast<std::size_t>(width_), 0), most_radius_ = all_ = most_;
    for (Index t = 0; t < tokens_; ++t) {
      for (Index j = 0; j < width_; ++j) {
        most_[j] = std::max(most_[j], held.row(t)[j]), all_[j] += held.row(t)[j];
        if (!values_.radius.empty()) most_radius_[j] = std::max(most_radius_[j], values_.radius.row(t)[j]);
      }
    }
  }

  void finish(Index i, const Tensor<double>& sums, const Tensor<double>& lost, AverageBound& out) const {
    const RowWeights& row = rows_[static_cast<std::size_t>(i)];
    if (!row.live) return;
    const Spread spread = spread_of(row, scores_.live.row(i), values_, out.mean.row(i));
    double moved = row.move_sink;
    for (const double move : row.move) moved += move;
    const double quotient = 1 / (1 - row.denominator);
    for (Index j = 0; j < width_; ++j) {
      const auto column = static_cast<std::size_t>(j);
      const double own = values_.own.empty() ? 0 : values_.own[column];
      // The mean itself is off by roundings of binary64 and by the values' own errors.
      const double centre = (static_cast<double>(tokens_) + 64) * 0x1p-52 * most_[column] + 2 * own;
      const double centred = spread.moved[column] + moved * centre, convex = spread.most[column] + centre;
      const double most = row.normalised ? most_[column] * (1 + 0x1p-30) : kInfinity;
      const double total = row.bounded ? std::min(sums.row(i)[j], most) : most;
      // ... and it is what errors are told from.
      const double mean_own = (static_cast<double>(tokens_) + 1024) * 0x1p-52 * total + own;
      out.weights.row(i)[j] = (row.bounded ? std::min(centred, convex) : convex) + spread.own[column] + mean_own;
      const double cut = matrix_unit_underflow(at_.products, tokens_, std::max(2.0, most_[column]));
      const double lost_here = lost.row(i)[j] / row.least_sum;
      out.accumulation.row(i)[j] =
          quotient * (total * ((1 + row.p_rounding) * row.numerator + row.denominator) + (row.numerator_underflow + cut) / row.least_sum);
      out.stored_p.row(i)[j] = quotient * (1 + row.numerator) * (row.p_rounding * total + lost_here);
      if (!row.bounded) out.carried.row(i)[j] = most_radius_[column] > 0 ? most_radius_[column] * (1 + row.p_rounding) + lost_here : 0;
      if (!row.known || !sum_fits(i, j)) out.weights.row(i)[j] = kInfinity;
    }
  }

  const Setting& at_;
  const std::vector<RowWeights>& rows_;
  const Scores& scores_;
  const Values& values_;
  Index tokens_, width_;
  const Tensor<double>* held_ = nullptr;
  std::vector<double> most_, most_radius_, all_;
};

}  // namespace

double quotient_rounding(const Setting& at, double magnitude) {
  return magnitude <= at.fx.largest() ? phi(3, at.fx.unit()) * magnitude + 3 * at.fx.product_underflow() : kInfinity;
}

double AverageBound::total(const Setting& at, Index i, Index j) const {
  const double sum = weights.row(i)[j] + accumulation.row(i)[j] + stored_p.row(i)[j] + carried.row(i)[j];
  return sum + quotient_rounding(at, std::fabs(mean.row(i)[j]) + sum);
}

AverageBound average_bound(const Setting& at, const std::vector<RowWeights>& rows, const Scores& scores, const Values& values) {
  return Averager(at, rows, scores, values).run();
}

}  // namespace equinorm::bounds
