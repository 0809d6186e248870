#include "bounds/softmax_sums.hpp"

#include <algorithm>

namespace equinorm::bounds {

Tiling::Tiling(const Setting& at, Index tokens) : splits(std::max<Index>(1, at.plan.precision.splits)) {
  length = std::max<Index>(1, (tokens + splits - 1) / splits);
  tile = at.plan.precision.tile > 0 ? std::min(at.plan.precision.tile, length) : length;
  tiles = (length + tile - 1) / tile;
  by_lse = splits > 1 && at.plan.combine == paths::Combine::lse;
}

AverageSums average_sums(const Setting& at, Index tokens, Index rescales, double largest) {
  using Kind = scalar::SumOrder::Kind;
  const Tiling tiling(at, tokens);
  const Kind order = at.plan.precision.order.kind;
  const bool unit = order == Kind::tensor_core, chain = unit || order == Kind::any || order == Kind::sequential;
  const Index all_tiles = tiling.tiles * tiling.splits, terms = chain ? tiling.length : tiling.tile;
  const Index joins = (chain && !unit ? 0 : tiling.tiles) + tiling.splits + (tiling.by_lse ? 2 : 0) + 1;
  const Accumulation n = accumulation(at.products, terms, joins + rescales);
  const Accumulation d = accumulation(at.sums, terms, tiling.tiles + joins + rescales);
  const double lambda = -std::log1p(-at.e_exp);
  const double shifted = at.base_two ? 4 * at.fx.unit() * largest : 0;  // exp2 of the largest logit is not exactly 1
  const double count = static_cast<double>(2 * tokens + (rescales + tiling.splits + 2) * (all_tiles + 1));
  AverageSums sums{};
  sums.least_sum = (1 - 2 * lambda - shifted) * (tiling.by_lse ? 0.5 : 1);
  sums.numerator = n.factor;
  sums.numerator_underflow = count * (at.fa.product_underflow() + at.fa.sum_underflow()) * (1 + n.factor);
  const double underflow = count * (at.fx.product_underflow() + at.fx.sum_underflow()) * (1 + d.factor);
  sums.denominator = d.factor + underflow / sums.least_sum;
  const double most = static_cast<double>(tokens + 1) * (1 + d.factor);
  if (!(sums.least_sum > 0) || !(sums.denominator < 1) || !(most <= at.fx.largest())) sums.denominator = kInfinity;
  return sums;
}

double largest_shift(const Setting& at, Index tokens, Index rescales, double largest) {
  const Tiling tiling(at, tokens);
  const double u = at.fx.unit(), lambda = -std::log1p(-at.e_exp), distance = 2 * largest;
  const double exponent = at.base_two ? phi(2, u) * (distance + 2 * u * largest) + u * largest : u * distance;
  const double span = std::log(2 * static_cast<double>(tiling.length) + 1), lse = largest + span, gap = distance + span;
  const double other_base = at.base_two ? 4 * u * lse + u * gap : 0;
  const double split = tiling.by_lse ? (1 + 4 * u) * (u * lse + at.e_log * span + u * gap + lambda + other_base) : 0;
  const bool rounded = at.rounds(Stored::p) && at.plan.denominator_rounded;
  return exponent + static_cast<double>(1 + rescales) * lambda + split + (rounded ? -std::log1p(-at.format(Stored::p).unit()) : 0);
}

}  // namespace equinorm::bounds
