#include "verdict/measure.hpp"

#include <cmath>

#include "scalar/error.hpp"

namespace equinorm::verdict {
double unit_in_last_place(scalar::Format format, double x) {
  int exponent = 0;
  const double magnitude = std::fabs(x);
  if (format.kind == scalar::FormatKind::real) {
    if (magnitude == 0) return 0;
    std::frexp(magnitude, &exponent);
  } else {
    std::frexp(std::fmax(magnitude, scalar::limits(format).smallest_normal), &exponent);
  }
  return std::ldexp(1.0, exponent - format.precision);
}

ErrorStatistics measure(const Tensor<double>& values, const ReferenceTensor& exact, scalar::Format format) {
  if (values.shape() != exact.value.shape()) {
    throw Error("shape " + tensor::to_string(values.shape()) + " where the reference has " + tensor::to_string(exact.value.shape()));
  }
  ErrorStatistics result;
  double largest = 0;
  Index worst = -1, first_nonfinite = -1;
  for (Index i = 0; i < values.size(); ++i) {
    const double expected = exact.value[i], got = values[i];
    ++result.elements;
    if (!std::isfinite(expected) || !std::isfinite(got) || !std::isfinite(exact.low[i])) {
      if (std::isinf(expected) && got == expected) continue;
      ++result.nonfinite;
      if (first_nonfinite < 0) first_nonfinite = i;
      continue;
    }
    // got - value is exact or tiny against low's rounding, so the sum carries the reference's second part.
    const double error = std::fabs((got - expected) - exact.low[i]);
    largest = std::fmax(largest, std::fabs(expected));
    if (worst < 0 || error > result.max_abs) worst = i, result.max_abs = error;
    if (expected != 0) result.max_relative = std::fmax(result.max_relative, error / std::fabs(expected));
    const double ulp = unit_in_last_place(format, expected);
    if (ulp > 0) result.max_ulp = std::fmax(result.max_ulp, error / ulp);
  }
  if (largest > 0) result.normwise = result.max_abs / largest;
  const Index at = first_nonfinite >= 0 ? first_nonfinite : worst;
  if (at >= 0) result.worst = tensor::unravel(values.shape(), at);
  return result;
}

DifferenceStatistics measure_difference(const Tensor<double>& a, const Tensor<double>& b, const ReferenceTensor& exact) {
  for (const Tensor<double>* other : {&b, &exact.value}) {
    if (a.shape() != other->shape())
      throw Error("shape " + tensor::to_string(a.shape()) + " compared with " + tensor::to_string(other->shape()));
  }
  DifferenceStatistics result;
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) {
    if (std::isfinite(exact.value[i])) largest = std::fmax(largest, std::fabs(exact.value[i]));
    const double difference = std::fabs(a[i] - b[i]);
    if (std::isfinite(difference)) {
      result.max_abs = std::fmax(result.max_abs, difference);
    } else if (!(a[i] == b[i])) {
      ++result.nonfinite;
    }
  }
  if (largest > 0) result.normwise = result.max_abs / largest;
  return result;
}

double largest_finite(const Tensor<double>& values) {
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i) largest = std::isfinite(values[i]) ? std::fmax(largest, std::fabs(values[i])) : largest;
  return largest;
}

}  // namespace equinorm::verdict
