#include "bounds/average.hpp"

#include <tbb/parallel_for.h>

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

/// Columns [first, first + width) of the values.
struct Columns {
  Index first, width;
};

Spread spread_of(const RowWeights& row, const std::uint8_t* live, const ValueView& values, const Columns& at, const double* mean) {
  const Index tokens = values.tokens, width = at.width;
  const auto w = static_cast<std::size_t>(width);
  Spread out{std::vector<double>(w), std::vector<double>(w), std::vector<double>(w)};
  double* moved = out.moved.data();
  double* own = out.own.data();
  double* most = out.most.data();
  for (Index t = 0; t < tokens; ++t) {
    if (live[t] == 0) continue;
    const double move = row.move[t], mine = row.own[t];
    const double* y = values.value + t * values.width + at.first;
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
  Averager(const Setting& at, const std::vector<RowWeights>& rows, const Scores& scores, const ValueView& values)
      : at_(at), rows_(rows), scores_(scores), values_(values), tokens_(values.tokens), width_(values.width) {}

  AverageBound run() {
    const Index n = static_cast<Index>(rows_.size());
    const auto empty = [&] { return Tensor<double>({n, width_}); };
    AverageBound out{empty(), empty(), empty(), empty(), empty()};
    p_ = matrix(rows_, &RowWeights::p, tokens_), upper_ = matrix(rows_, &RowWeights::upper, tokens_);
    lost_ = matrix(rows_, &RowWeights::lost, tokens_);
    if (values_.radius != nullptr) met_ = met(upper_);
    for (const RowWeights& row : rows_) {
      double moved = row.move_sink;
      for (const double move : row.move) moved += move;
      moved_.push_back(moved);
    }
    const Index slices = (width_ + kColumns - 1) / kColumns;
    tbb::parallel_for(Index{0}, slices, [&](Index slice) {
      const Index first = slice * kColumns;
      run_columns({first, std::min(kColumns, width_ - first)}, out);
    });
    return out;
  }

 private:
  /// Columns that one thread takes; they have nothing to do with each other.
  static constexpr Index kColumns = 64;
  /// Values whose magnitudes are held at a time.
  static constexpr Index kTokens = 1024;

  /// Of some columns: sums over the tokens [n,width], and of each column the largest magnitude and radius, and the sum of magnitudes.
  struct Sums {
    Sums(Index n, Index width)
        : mean({n, width}), upper({n, width}), lost({n, width}), carried({n, width}), most(static_cast<std::size_t>(width)) {
      most_radius = all = most;
    }
    Tensor<double> mean, upper, lost, carried;
    std::vector<double> most, most_radius, all;
  };

  void run_columns(const Columns& at, AverageBound& out) const {
    const Index n = static_cast<Index>(rows_.size());
    Sums sums(n, at.width);
    for (Index first = 0; first < tokens_; first += kTokens) add_tokens(at, first, std::min(kTokens, tokens_ - first), sums);
    for (Index i = 0; i < n; ++i) {
      std::copy_n(sums.mean.row(i), at.width, out.mean.row(i) + at.first);
      if (values_.radius != nullptr) std::copy_n(sums.carried.row(i), at.width, out.carried.row(i) + at.first);
      finish(i, at, sums, out);
    }
  }

  void add_tokens(const Columns& at, Index first, Index count, Sums& sums) const {
    Tensor<double> held({count, at.width});
    for (Index t = 0; t < count; ++t) {
      for (Index j = 0; j < at.width; ++j) {
        const double size = values_.held(first + t, at.first + j);
        held.row(t)[j] = size;
        sums.most[j] = std::max(sums.most[j], size), sums.all[j] += size;
      }
    }
    const Index from = first * width_ + at.first;
    multiply_rows(p_, first, values_.value + from, count, width_, sums.mean);
    multiply_rows(upper_, first, held.data(), count, at.width, sums.upper);
    multiply_rows(lost_, first, held.data(), count, at.width, sums.lost);
    if (values_.radius == nullptr) return;
    multiply_rows(met_, first, values_.radius + from, count, width_, sums.carried);
    for (Index t = 0; t < count; ++t) {
      for (Index j = 0; j < at.width; ++j) sums.most_radius[j] = std::max(sums.most_radius[j], values_.radius[from + t * width_ + j]);
    }
  }

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
  bool sum_fits(Index i, Index j, double all) const {
    const RowWeights& row = rows_[static_cast<std::size_t>(i)];
    if (!(row.least_sum > 0)) return false;
    const double fits = at_.fa.largest() * row.least_sum / ((1 + row.numerator) * (1 + row.p_rounding));
    if (all <= fits) return true;
    double sum = 0;
    for (Index t = 0; t < tokens_; ++t) sum += scores_.live.row(i)[t] != 0 ? values_.held(t, j) : 0;
    return sum <= fits;
  }

  void finish(Index i, const Columns& at, const Sums& sums, AverageBound& out) const {
    const RowWeights& row = rows_[static_cast<std::size_t>(i)];
    if (!row.live) return;
    const Spread spread = spread_of(row, scores_.live.row(i), values_, at, sums.mean.row(i));
    const double moved = moved_[static_cast<std::size_t>(i)], quotient = 1 / (1 - row.denominator);
    for (Index column = 0; column < at.width; ++column) {
      const auto k = static_cast<std::size_t>(column);
      const Index j = at.first + column;
      const double own = values_.own != nullptr ? values_.own[j] : 0, largest = sums.most[k], largest_radius = sums.most_radius[k];
      // The mean itself is off by roundings of binary64 and by the values' own errors.
      const double centre = (static_cast<double>(tokens_) + 64) * 0x1p-52 * largest + 2 * own;
      const double centred = spread.moved[k] + moved * centre, convex = spread.most[k] + centre;
      const double most = row.normalised ? largest * (1 + 0x1p-30) : kInfinity;
      const double total = row.bounded ? std::min(sums.upper.row(i)[column], most) : most;
      // ... and it is what errors are told from.
      const double mean_own = (static_cast<double>(tokens_) + 1024) * 0x1p-52 * total + own;
      out.weights.row(i)[j] = (row.bounded ? std::min(centred, convex) : convex) + spread.own[k] + mean_own;
      const double cut = matrix_unit_underflow(at_.products, tokens_, std::max(2.0, largest));
      const double lost_here = sums.lost.row(i)[column] / row.least_sum;
      out.accumulation.row(i)[j] =
          quotient * (total * ((1 + row.p_rounding) * row.numerator + row.denominator) + (row.numerator_underflow + cut) / row.least_sum);
      out.stored_p.row(i)[j] = quotient * (1 + row.numerator) * (row.p_rounding * total + lost_here);
      if (!row.bounded) out.carried.row(i)[j] = largest_radius > 0 ? largest_radius * (1 + row.p_rounding) + lost_here : 0;
      if (!row.known || !sum_fits(i, j, sums.all[k])) out.weights.row(i)[j] = kInfinity;
    }
  }

  const Setting& at_;
  const std::vector<RowWeights>& rows_;
  const Scores& scores_;
  const ValueView& values_;
  Index tokens_, width_;
  Tensor<double> p_, upper_, lost_, met_;  ///< [n,T]
  std::vector<double> moved_;              ///< [n]
};

}  // namespace

double quotient_rounding(const Setting& at, double magnitude) {
  return magnitude <= at.fx.largest() ? phi(3, at.fx.unit()) * magnitude + 3 * at.fx.product_underflow() : kInfinity;
}

double AverageBound::total(const Setting& at, Index i, Index j) const {
  const double sum = weights.row(i)[j] + accumulation.row(i)[j] + stored_p.row(i)[j] + carried.row(i)[j];
  return sum + quotient_rounding(at, std::fabs(mean.row(i)[j]) + sum);
}

AverageBound average_bound(const Setting& at, const std::vector<RowWeights>& rows, const Scores& scores, const ValueView& values) {
  return Averager(at, rows, scores, values).run();
}

}  // namespace equinorm::bounds
