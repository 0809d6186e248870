#include "bounds/accumulation.hpp"

#include <algorithm>
#include <bit>

#include "scalar/error.hpp"
#include "scalar/tensor_core.hpp"

namespace equinorm::bounds {
namespace {

using Kind = scalar::SumOrder::Kind;

/// Largest of f(unit) over the units of the order's architecture that may take the operands.
template <class F>
double most_over_units(const Reduction& reduction, const F& f) {
  double most = 0;
  for (const scalar::TensorInput input : {scalar::TensorInput::fp16, scalar::TensorInput::bf16, scalar::TensorInput::tf32}) {
    const scalar::TensorCore* unit = scalar::find_tensor_core(reduction.order.architecture, input, reduction.rounding.format());
    if (unit != nullptr) most = std::max(most, f(*unit));
  }
  return most;
}

/// Roundings that term i of a chain of n meets, its product included.
std::int64_t chain_height(bool fused, std::int64_t i, std::int64_t n) { return n - i + (fused || i == 0 ? 0 : 1); }

/// Roundings that term i of n meets in an order with a sequence; 0 for other orders.
std::int64_t term_height(const Reduction& reduction, std::int64_t i, std::int64_t n) {
  if (reduction.order.kind == Kind::sequential) return chain_height(reduction.fused, i, n);
  if (reduction.order.kind != Kind::blocked) return 0;
  const std::int64_t length = reduction.order.block, block = i / length, blocks = (n + length - 1) / length;
  const std::int64_t terms = std::min(length, n - block * length);
  return chain_height(reduction.fused, i - block * length, terms) + (block == 0 ? blocks - 1 : blocks - block);
}

}  // namespace

double matrix_unit_underflow(const Reduction& reduction, std::int64_t n, double largest_factor) {
  if (reduction.order.kind != Kind::tensor_core || n == 0) return 0;
  return most_over_units(reduction, [&](const scalar::TensorCore& unit) { return scalar::tensor_core_underflow(unit, n, largest_factor); });
}

std::int64_t rounding_height(const scalar::SumOrder& order, std::int64_t n) {
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
  if (reduction.order.kind == Kind::tensor_core) {
    const double unit =
        most_over_units(reduction, [&](const scalar::TensorCore& core) { return scalar::tensor_core_error_factor(core, n); });
    const double further = phi(static_cast<double>(extra), 2 * u);  // towards zero
    result.factor = std::max(unit, phi(static_cast<double>(n), u)) * (1 + further) + further + reduction.own;
    result.underflow = static_cast<double>(n + extra) * (reduction.rounding.product_underflow() + reduction.rounding.sum_underflow()) *
                       (1 + result.factor);
    return result;
  }
  result.factor = phi(static_cast<double>(rounding_height(reduction.order, n) + extra), u / (1 + u));
  if (!reduction.fused && extra == 0) result.factor = std::min(result.factor, static_cast<double>(n) * u);
  result.factor += reduction.own;
  result.underflow =
      static_cast<double>(n + extra) * (reduction.rounding.product_underflow() + reduction.rounding.sum_underflow()) * (1 + result.factor);
  return result;
}

std::vector<double> term_factors(const Reduction& reduction, std::int64_t n) {
  const double uniform = accumulation(reduction, n).factor, u = reduction.rounding.unit();
  std::vector<double> factors(static_cast<std::size_t>(n), uniform);
  if (n == 0 || term_height(reduction, 0, n) == 0) return factors;
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum += factors[static_cast<std::size_t>(i)] = phi(static_cast<double>(term_height(reduction, i, n)), u / (1 + u)) + reduction.own;
  }
  if (!(sum < static_cast<double>(n) * uniform)) std::fill(factors.begin(), factors.end(), uniform);  // where n u is far below phi
  return factors;
}

}  // namespace equinorm::bounds
