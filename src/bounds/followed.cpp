#include "bounds/followed.hpp"

#include <algorithm>
#include <vector>

namespace equinorm::bounds {
namespace {

using tensor::Index;
using tensor::Tensor;

/// Up to 2^22 roundings of what is added up here (slack_covers).
constexpr double kUp = 1 + 0x1p-30;

/// A row of sums that are formed side by side: their values so far, and what they may have lost.
struct Running {
  explicit Running(Index n) : sum(static_cast<std::size_t>(n)), lost(sum.size()), size(sum.size()) {}
  void clear() {
    for (auto* x : {&sum, &lost, &size}) std::fill(x->begin(), x->end(), 0);
  }
  std::vector<double> sum, lost;
  std::vector<double> size;  ///< absolute sum
};

class Follower {
 public:
  Follower(const Reduction& how, double factor) : how_(how), factor_(factor), own_(how.own + 0x1p-50) {}

  /// One more product a b_j for every j.
  void add(double a, const double* b, const double* spread, bool first, Running& to) const {
    const std::size_t n = to.sum.size();
    for (std::size_t j = 0; j < n; ++j) {
      const double product = a * b[j], around = spread != nullptr ? spread[j] : 0;
      to.sum[j] += product, to.size[j] += std::fabs(product);
      if (!how_.fused) to.lost[j] += half_ulp(product, around + 0x1p-50 * std::fabs(product));
      if (how_.fused || !first) to.lost[j] += half_ulp(to.sum[j], around + to.lost[j] + own_ * to.size[j]);
    }
  }

  /// total + block for every j.
  void join(const Running& block, const double* spread, Running& total) const {
    for (std::size_t j = 0; j < total.sum.size(); ++j) {
      total.sum[j] += block.sum[j], total.size[j] += block.size[j], total.lost[j] += block.lost[j];
      total.lost[j] += half_ulp(total.sum[j], (spread != nullptr ? spread[j] : 0) + total.lost[j] + own_ * total.size[j]);
    }
  }

 private:
  double half_ulp(double value, double around) const { return how_.rounding.half_ulp((factor_ * std::fabs(value) + around) * kUp) * kUp; }

  const Reduction& how_;
  double factor_;
  double own_;  ///< binary64's own error in a partial sum, of its absolute sum
};

}  // namespace

bool can_follow(const scalar::SumOrder& order) {
  return order.kind == scalar::SumOrder::Kind::sequential || order.kind == scalar::SumOrder::Kind::blocked;
}

Tensor<double> followed_errors(const Reduction& how, const Tensor<double>& a, const double* b, Index n, const Tensor<double>& spread,
                               double factor) {
  const Index m = a.dim(0), depth = a.dim(1), length = how.order.kind == scalar::SumOrder::Kind::blocked ? how.order.block : depth;
  const Follower follow(how, factor);
  Tensor<double> out({m, n});
  Running total(n), block(n);
  for (Index i = 0; i < m; ++i) {
    const double* around = spread.empty() ? nullptr : spread.row(i);
    total.clear();
    for (Index from = 0; from < depth; from += length) {
      block.clear();
      for (Index k = from; k < std::min(from + length, depth); ++k) follow.add(a.row(i)[k], b + k * n, around, k == from, block);
      if (from == 0) {
        std::swap(total, block);
      } else {
        follow.join(block, around, total);
      }
    }
    for (Index j = 0; j < n; ++j)
      out.row(i)[j] = total.lost[static_cast<std::size_t>(j)] + how.own * total.size[static_cast<std::size_t>(j)];
  }
  return out;
}

}  // namespace equinorm::bounds
