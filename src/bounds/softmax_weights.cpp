#include "bounds/softmax_weights.hpp"

#include <algorithm>

#include "bounds/softmax_sums.hpp"

namespace equinorm::bounds {
namespace {

constexpr double kMaxExponent = 700;  // exp of more is infinite or next to it (exp_in_range)

/// exp, infinite where nothing is known any more.
double grow(double x) { return x < kMaxExponent ? std::exp(x) : kInfinity; }
/// The same of exp - 1.
double change(double x) { return x < kMaxExponent ? std::expm1(x) : kInfinity; }

class WeightStage {
 public:
  WeightStage(const Setting& at, const Scores& scores, Index i, const double* sink)
      : at_(at),
        tiling_(at, scores.logit.dim(1)),
        tokens_(scores.logit.dim(1)),
        logit_(scores.logit.row(i)),
        radius_(scores.radius.row(i)),
        own_(scores.own.row(i)),
        live_(scores.live.row(i)),
        sink_(sink) {}

  RowWeights run() {
    if (!survey()) return std::move(out_);
    set_probabilities();
    count_rescales();
    set_shifts();
    set_moves();
    set_accumulation();
    set_lse();
    set_probability_radii();
    return std::move(out_);
  }

  RowWeights run_given(std::vector<double> p_radius) {
    if (!survey()) return std::move(out_);
    set_probabilities();
    count_rescales();
    set_accumulation();
    out_.known = true;
    for (Index t = 0; t < tokens_; ++t) {
      out_.p_radius[t] = live_[t] != 0 ? p_radius[t] : 0;
      out_.upper[t] = out_.p[t] + out_.p_radius[t], out_.lost[t] = out_.p_radius[t];
      out_.known = out_.known && out_.p_radius[t] < kInfinity;
    }
    out_.bounded = out_.known, out_.normalised = false;
    out_.denominator = 0, out_.least_sum = 1;
    out_.lse_radius = kInfinity;  // nobody forms it
    return std::move(out_);
  }

 private:
  /// Largest logit, largest radius, largest magnitude; false where nothing is live.
  bool survey() {
    const auto n = static_cast<std::size_t>(tokens_);
    for (auto* v : {&out_.p, &out_.p_radius, &out_.upper, &out_.move, &out_.own, &out_.lost}) v->assign(n, 0);
    out_.known = true;
    for (Index t = 0; t < tokens_; ++t) {
      if (live_[t] == 0) continue;
      out_.live = true;
      max_ = std::max(max_, logit_[t]);
      largest_ = std::max(largest_, std::fabs(logit_[t]));
      if (!(radius_[t] < kInfinity)) out_.known = false;
      max_radius_ = std::max(max_radius_, radius_[t]);
    }
    if (sink_ != nullptr) {
      out_.live = true;
      max_ = std::max(max_, *sink_), largest_ = std::max(largest_, std::fabs(*sink_));
    }
    return out_.live;
  }

  void set_probabilities() {
    double sum = 0;
    for (Index t = 0; t < tokens_; ++t) sum += live_[t] != 0 ? out_.p[t] = std::exp(logit_[t] - max_) : 0;
    p_sink_ = sink_ != nullptr ? std::exp(*sink_ - max_) : 0;
    sum += p_sink_;
    for (double& p : out_.p) p /= sum;
    p_sink_ /= sum;
    out_.lse = max_ + std::log(sum);
  }

  /// J_t: how often the running maximum may change after token t's tile; joins of splits and a sink change it once each.
  void count_rescales() {
    rescales_.assign(static_cast<std::size_t>(tiling_.splits * tiling_.tiles), 0);
    const Index joins = tiling_.splits - 1 + (sink_ != nullptr ? 1 : 0);
    for (Index k = 0; k < tiling_.splits; ++k) {
      double surely = -kInfinity;
      std::vector<Index> changes(static_cast<std::size_t>(tiling_.tiles), 0);
      for (Index b = 0; b < tiling_.tiles; ++b) {
        double high = -kInfinity, low = -kInfinity;
        const Index from = k * tiling_.length + b * tiling_.tile;
        const Index to = std::min({from + tiling_.tile, (k + 1) * tiling_.length, tokens_});
        for (Index t = from; t < to; ++t) {
          if (live_[t] == 0) continue;
          high = std::max(high, logit_[t] + radius_[t] + own_[t]), low = std::max(low, logit_[t] - radius_[t] - own_[t]);
        }
        changes[static_cast<std::size_t>(b)] = b > 0 && high > surely ? 1 : 0;
        surely = std::max(surely, low);
      }
      Index after = joins;
      for (Index b = tiling_.tiles; b-- > 0;) {
        rescales_[static_cast<std::size_t>(k * tiling_.tiles + b)] = after;
        after += changes[static_cast<std::size_t>(b)];
      }
      most_rescales_ = std::max(most_rescales_, after);
    }
  }

  Index rescales_of(Index t) const {
    const Index k = t / tiling_.length;
    return rescales_[static_cast<std::size_t>(k * tiling_.tiles + (t - k * tiling_.length) / tiling_.tile)];
  }

  /// X of a weight exp(l - M): subtraction, exp in either base (exp2 of a product with log2 e), rescales.
  double exponent_error(double logit, double radius, double rescales) const {
    const double u = at_.fx.unit(), distance = max_ - logit + radius + max_radius_;
    const double lambda = -std::log1p(-at_.e_exp);
    if (!at_.base_two) return u * distance + (1 + rescales) * lambda;
    return phi(2, u) * (distance + 2 * u * (largest_ + max_radius_)) + u * (std::fabs(logit) + radius) + (1 + rescales) * lambda;
  }

  /// X of combining splits by their lse: its rounding, its logarithm, the weight's own exp; in base 2 also the products and the constants
  /// on the way. 1 + 4 u: higher orders (split_allowance, split_allowance_base_two). The sums of weights are known within a factor 2.
  double split_error() const {
    if (!tiling_.by_lse) return 0;
    const double u = at_.fx.unit(), span = std::log(2 * static_cast<double>(tiling_.length) + 1);
    const double largest_lse = largest_ + max_radius_ + span;
    double lowest = kInfinity;
    for (Index k = 0; k < tiling_.splits; ++k) {
      double most = -kInfinity;
      for (Index t = k * tiling_.length; t < std::min((k + 1) * tiling_.length, tokens_); ++t)
        most = std::max(most, live_[t] != 0 ? logit_[t] : -kInfinity);
      if (most > -kInfinity) lowest = std::min(lowest, most);
    }
    if (sink_ != nullptr) lowest = std::min(lowest, *sink_);
    const double gap = max_ - lowest + 2 * max_radius_ + span;
    const double other_base = at_.base_two ? 4 * u * largest_lse + u * gap : 0;
    return (1 + 4 * u) * (u * largest_lse + at_.e_log * span + u * gap - std::log1p(-at_.e_exp) + other_base);
  }

  void set_shifts() {
    const bool p_stored = at_.rounds(Stored::p);
    const double u_p = at_.format(Stored::p).unit();
    const double rounded = p_stored && at_.plan.denominator_rounded ? -std::log1p(-u_p) : 0, splits = split_error();
    out_.p_rounding = p_stored && !at_.plan.denominator_rounded ? u_p : 0;
    shift_.assign(static_cast<std::size_t>(tokens_), 0);
    out_.shift = out_.omega = shift_;
    const double p_underflow = at_.format(Stored::p).product_underflow();
    for (Index t = 0; t < tokens_; ++t) {
      if (live_[t] == 0) continue;
      const double rescales = static_cast<double>(rescales_of(t));
      out_.shift[t] = exponent_error(logit_[t], radius_[t], rescales) + splits;
      shift_[t] = radius_[t] + out_.shift[t] + rounded;
      out_.omega[t] = 4 * (1 + rescales) * at_.fx.product_underflow();
      const bool small = !(std::exp(logit_[t] - max_ - 2 * max_radius_) > std::ldexp(p_underflow, 24));
      if (!p_stored || !small) continue;
      (at_.plan.denominator_rounded ? out_.omega[t] : out_.lost[t]) += 2 * p_underflow;
    }
    sink_shift_ = exponent_error(sink_ != nullptr ? *sink_ : max_, 0, 1) + rounded + splits;
  }

  void set_moves() {
    double least = p_sink_ * std::exp(-sink_shift_), least_own = p_sink_, slack = 0;
    for (Index t = 0; t < tokens_; ++t) {
      least += out_.p[t] * std::exp(-shift_[t] - own_[t]);
      least_own += out_.p[t] * std::exp(-own_[t]);
      slack += out_.omega[t];
    }
    const double z = least * (1 - 0x1p-30) - slack, up = 1 + 0x1p-30;
    out_.bounded = out_.known && z > 0;
    for (Index t = 0; t < tokens_; ++t) {
      if (live_[t] == 0) continue;
      const double shift = shift_[t] + own_[t];
      out_.move[t] = (out_.p[t] * change(shift) + out_.omega[t]) / z * up;
      out_.upper[t] = (out_.p[t] * grow(shift) + out_.omega[t]) / z * up;
      out_.own[t] = out_.p[t] * std::expm1(own_[t]) / least_own * up;
      out_.bounded = out_.bounded && out_.move[t] < kInfinity && out_.upper[t] < kInfinity;
    }
    if (sink_ != nullptr) {
      out_.move_sink = p_sink_ * change(sink_shift_) / z * up;
      out_.upper_sink = p_sink_ * grow(sink_shift_) / z * up;
      out_.bounded = out_.bounded && out_.upper_sink < kInfinity;
    }
    if (!out_.bounded) {
      for (auto* v : {&out_.move, &out_.upper}) std::fill(v->begin(), v->end(), 0);
      out_.move_sink = out_.upper_sink = 0;
    }
    sum_slack_ = slack;
  }

  /// phi_N, phi_D: roundings that a term meets on its way into the accumulator and the denominator.
  void set_accumulation() {
    const AverageSums sums = average_sums(at_, tokens_, most_rescales_, largest_ + max_radius_);
    out_.numerator = sums.numerator, out_.denominator = sums.denominator;
    out_.numerator_underflow = sums.numerator_underflow, out_.least_sum = sums.least_sum;
    if (!(sums.denominator < 1)) out_.bounded = out_.known = false;
  }

  /// What binary64 loses in a sum of weights, relative to it: its additions, and each exp of a difference above -746.
  double sums_own() const { return (static_cast<double>(tokens_) + 1024) * 0x1p-52; }

  /// ln sum p_t e^(sign d_t), the largest exponent taken out.
  double log_shifted(double sign) const {
    double most = -kInfinity, sum = 0;
    for (Index t = 0; t < tokens_; ++t) {
      if (live_[t] != 0) most = std::max(most, sign * (shift_[t] + own_[t]));
    }
    if (sink_ != nullptr) most = std::max(most, sign * sink_shift_);
    for (Index t = 0; t < tokens_; ++t) sum += live_[t] != 0 ? out_.p[t] * std::exp(sign * (shift_[t] + own_[t]) - most) : 0;
    sum += p_sink_ * std::exp(sign * sink_shift_ - most);
    return most + std::log(sum);
  }

  /// |lse(l + d) - lse(l)| <= ln sum p e^|d| on either side; then the sum, its logarithm and the last rounding.
  void set_lse() {
    double own = 0;
    for (Index t = 0; t < tokens_; ++t) own = std::max(own, live_[t] != 0 ? own_[t] : 0);
    const double up = log_shifted(1), down = log_shifted(-1), lost = sum_slack_ * std::exp(std::min(-down, kMaxExponent));
    if (!(lost < 0.5)) out_.known = false;
    const double shift = std::max(up + sum_slack_, -down + 2 * lost) + own;
    const double span = std::log(static_cast<double>(tokens_) + 1) + max_radius_;
    double radius = shift - std::log1p(-out_.denominator);
    radius += at_.e_log * (span + radius) + 0x1p-50 * (largest_ + span) + sums_own();
    if (tiling_.by_lse) radius += at_.fx.unit() * (largest_ + span);
    radius +=
        at_.fx.half_ulp((std::fabs(out_.lse) + 2 * radius) * (1 + 0x1p-50)) + (at_.base_two ? 3 * at_.fx.unit() * (largest_ + span) : 0);
    out_.lse_radius = out_.known && radius < kInfinity ? radius : kInfinity;
  }

  /// p = exp(l - m) / sum, or exp(l - lse): the ratio p_t / (p_t + sum of the others) with every weight at its worst.
  void set_probability_radii() {
    double above = p_sink_ > 0 ? p_sink_ * grow(sink_shift_) : 0, below = p_sink_ * std::exp(-sink_shift_);
    for (Index t = 0; t < tokens_; ++t) {
      above += out_.p[t] > 0 ? out_.p[t] * grow(shift_[t] + own_[t]) : 0, below += out_.p[t] * std::exp(-shift_[t] - own_[t]);
    }
    const double lost = sums_own(), rounding = phi(3, at_.fx.unit());
    const double from_lse = tiling_.by_lse ? std::expm1(std::min(out_.lse_radius, kMaxExponent)) : 0;
    for (Index t = 0; t < tokens_; ++t) {
      if (live_[t] == 0) continue;
      const double p = out_.p[t], shift = shift_[t] + own_[t], up = grow(shift), down = std::exp(-shift);
      const double others_low = std::max(0.0, below - p * down - sum_slack_ - lost * below) * (1 - 0x1p-30);
      const double others_high = (above - p * up + sum_slack_) * (1 + 0x1p-30) + lost * above;
      const double high = up < kInfinity && p * up > 0 ? std::min(1.0, p * up / (p * up + others_low)) : 1;
      const double low = others_high < kInfinity ? p * down / (p * down + others_high) : 0;
      const double kernel = (high / (1 - out_.denominator)) * (1 + rounding) * (1 + from_lse);
      double radius = std::max(kernel - p, p - low / (1 + out_.denominator) * (1 - rounding) / (1 + from_lse));
      radius += out_.omega[t] + 2 * at_.fx.product_underflow() + p * (std::expm1(2 * own_[t]) + lost);
      radius += at_.store(Stored::p, (p + 2 * radius) * (1 + 0x1p-50));
      out_.p_radius[t] = out_.known && radius < kInfinity ? radius : kInfinity;
    }
  }

  const Setting& at_;
  Tiling tiling_;
  Index tokens_;
  const double *logit_, *radius_, *own_;
  const std::uint8_t* live_;
  const double* sink_;
  double max_ = -kInfinity, largest_ = 0, max_radius_ = 0, p_sink_ = 0, sink_shift_ = 0, sum_slack_ = 0;
  Index most_rescales_ = 0;
  std::vector<Index> rescales_;
  std::vector<double> shift_;
  RowWeights out_;
};

}  // namespace

RowWeights make_weights(const Setting& at, const Scores& scores, Index i, const double* sink) {
  return WeightStage(at, scores, i, sink).run();
}

RowWeights given_weights(const Setting& at, const Scores& scores, Index i, const double* sink, std::vector<double> p_radius) {
  return WeightStage(at, scores, i, sink).run_given(std::move(p_radius));
}

}  // namespace equinorm::bounds
