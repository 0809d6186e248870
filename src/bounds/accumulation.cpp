#include "bounds/accumulation.hpp"

#include <algorithm>
#include <bit>

#include "scalar/error.hpp"

namespace equinorm::bounds {

std::int64_t rounding_height(const scalar::SumOrder& order, std::int64_t n) {
  using Kind = scalar::SumOrder::Kind;
  switch (order.kind) {
    case Kind::pairwise:
      return std::bit_width(static_cast<std::uint64_t>(n > 0 ? n - 1 : 0)) + 1;
    case Kind::blocked:
      return std::min(order.block, n) + (n + order.block - 1) / order.block - 1;
    case Kind::any:
    case Kind::sequential:
      return n;
    case Kind::tensor_core:
      break;
  }
  throw Error("order: no bound for " + scalar::to_string(order) + "; allowed: any, sequential, pairwise, blocked:N");
}

Accumulation accumulation(const Reduction& reduction, std::int64_t n, std::int64_t extra) {
  if (n == 0) return {};
  const double u = reduction.rounding.unit();
  Accumulation result;
  result.factor = phi(static_cast<double>(rounding_height(reduction.order, n) + extra), u / (1 + u));
  if (!reduction.fused && extra == 0) result.factor = std::min(result.factor, static_cast<double>(n) * u);
  result.underflow =
      static_cast<double>(n + extra) * (reduction.rounding.product_underflow() + reduction.rounding.sum_underflow()) * (1 + result.factor);
  return result;
}

}  // namespace equinorm::bounds
