// Dot products and sums: one chain at a time, with the scalar operations of rounding.hpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "scalar/emulated.hpp"
#include "scalar/emulated_checks.hpp"
#include "scalar/emulated_product.hpp"
#include "scalar/error.hpp"
#include "scalar/rounding.hpp"
#include "scalar/tensor_core.hpp"

namespace equinorm::scalar {

TileOrder tile_order(const SumOrder& order) {
  switch (order.kind) {
    case SumOrder::Kind::any:
    case SumOrder::Kind::sequential:
      return TileOrder::sequential;
    case SumOrder::Kind::pairwise:
      return TileOrder::pairwise;
    case SumOrder::Kind::blocked:
      if (order.block < 1) throw Error("summation order " + to_string(order) + ": the block must be 1 or more");
      return TileOrder::blocked;
    case SumOrder::Kind::tensor_core:
      break;
  }
  throw Error("summation order " + to_string(order) +
              " is for products with accumulator fp32 or fp16; allowed otherwise are any, sequential, pairwise and blocked:N");
}

Contraction fallback_chain(Contraction how) {
  how.order = {SumOrder::Kind::sequential, 0, {}};
  how.fused = true;
  return how;
}

template <class T>
void check_contraction(const Contraction& how, std::initializer_list<std::int64_t> sizes) {
  round_to(how.accumulate, T{});
  if (how.order.kind == SumOrder::Kind::tensor_core && (how.accumulate == kFp32 || how.accumulate == kFp16)) {
    tensor_core(how.order.architecture, TensorInput::fp16, how.accumulate);
  } else {
    tile_order(how.order);
  }
  for (const std::int64_t size : sizes) {
    if (size < 0) throw Error("emulated sum of size " + std::to_string(size) + "; sizes must be 0 or more");
  }
}
template void check_contraction<float>(const Contraction&, std::initializer_list<std::int64_t>);
template void check_contraction<double>(const Contraction&, std::initializer_list<std::int64_t>);

namespace {

template <class T>
struct DotTerms {
  const T *x, *y;
  std::int64_t x_stride, y_stride;
  const Contraction& how;

  T first(std::int64_t k) const { return rounded_multiply(how.accumulate, x[k * x_stride], y[k * y_stride], how.ftz); }
  T step(T sum, std::int64_t k) const {
    if (how.fused) return rounded_fma(how.accumulate, x[k * x_stride], y[k * y_stride], sum, how.ftz);
    return rounded_add(how.accumulate, sum, first(k), how.ftz);
  }
};

template <class T>
struct SumTerms {
  const T* x;
  std::int64_t stride;
  const Contraction& how;

  T first(std::int64_t k) const { return round_to(how.accumulate, x[k * stride], how.ftz); }
  T step(T sum, std::int64_t k) const { return rounded_add(how.accumulate, sum, how.fused ? x[k * stride] : first(k), how.ftz); }
};

template <class Terms>
auto chain(const Terms& terms, std::int64_t begin, std::int64_t end) {
  auto sum = terms.first(begin);
  for (std::int64_t k = begin + 1; k < end; ++k) sum = terms.step(sum, k);
  return sum;
}

template <class Terms>
auto pairwise(const Terms& terms, std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return terms.first(begin);
  std::int64_t half = 1;
  while (2 * half < end - begin) half *= 2;
  const auto left = pairwise(terms, begin, begin + half);
  return rounded_add(terms.how.accumulate, left, pairwise(terms, begin + half, end), terms.how.ftz);
}

template <class Terms>
auto blocked(const Terms& terms, std::int64_t block, std::int64_t n) {
  block = std::min(block, n);
  auto total = chain(terms, 0, block);
  for (std::int64_t begin = block; begin < n;) {
    const std::int64_t end = n - begin > block ? begin + block : n;
    total = rounded_add(terms.how.accumulate, total, chain(terms, begin, end), terms.how.ftz);
    begin = end;
  }
  return total;
}

template <class T, class Terms>
T contract(const Terms& terms, std::int64_t n) {
  check_contraction<T>(terms.how, {n});
  const TileOrder order = tile_order(terms.how.order);
  if (n == 0) return T{};
  T total{};
  switch (order) {
    case TileOrder::sequential:
      total = chain(terms, 0, n);
      break;
    case TileOrder::pairwise:
      total = pairwise(terms, 0, n);
      break;
    case TileOrder::blocked:
      total = blocked(terms, terms.how.order.block, n);
      break;
  }
  return std::isnan(total) ? std::numeric_limits<T>::quiet_NaN() : total;
}

template <class T>
T any_dot(const Contraction& how, std::int64_t n, const T* x, std::int64_t x_stride, const T* y, std::int64_t y_stride) {
  if (how.order.kind == SumOrder::Kind::tensor_core) {
    check_contraction<T>(how, {n});
    T d{};
    if (n == 0 || multiply_on_tensor_core(how, Product<T>{1, 1, n, {x, 0, x_stride}, {y, y_stride, 0}, {&d, 0, 0}, false})) return d;
    return any_dot(fallback_chain(how), n, x, x_stride, y, y_stride);
  }
  return contract<T>(DotTerms<T>{x, y, x_stride, y_stride, how}, n);
}

}  // namespace

float dot(const Contraction& how, std::int64_t n, const float* x, std::int64_t x_stride, const float* y, std::int64_t y_stride) {
  return any_dot(how, n, x, x_stride, y, y_stride);
}
double dot(const Contraction& how, std::int64_t n, const double* x, std::int64_t x_stride, const double* y, std::int64_t y_stride) {
  return any_dot(how, n, x, x_stride, y, y_stride);
}
float sum(const Contraction& how, std::int64_t n, const float* x, std::int64_t stride) {
  return contract<float>(SumTerms<float>{x, stride, how}, n);
}
double sum(const Contraction& how, std::int64_t n, const double* x, std::int64_t stride) {
  return contract<double>(SumTerms<double>{x, stride, how}, n);
}

}  // namespace equinorm::scalar
