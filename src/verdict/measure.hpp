// Measured errors of an output against its exact value.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "scalar/format.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::verdict {

using tensor::Index;
using tensor::Tensor;

/// The exact value of one output: within `radius` of value (where radius is known), value + low being closer still. -inf is exact.
struct ReferenceTensor {
  Tensor<double> value;
  Tensor<double> low;
  Tensor<double> radius;  ///< empty: a wide reference without a certificate
};

using Reference = std::map<std::string, ReferenceTensor>;

/// Largest errors over the elements whose exact value is finite. An element that is not finite there, or not -inf where the exact value is,
/// counts as nonfinite and takes no part in the rest.
struct ErrorStatistics {
  Index elements = 0;
  Index nonfinite = 0;
  double max_abs = 0;
  double max_relative = 0;   ///< max |error| / |exact| where the exact value is not 0
  double max_ulp = 0;        ///< in units in the last place of `format` at the exact value
  double normwise = 0;       ///< max |error| / max |exact|
  std::vector<Index> worst;  ///< index of max_abs (of the first nonfinite element, if any)
};

/// Error of `values` (doubles hold every format up to fp64 exactly). Throws Error when the shapes differ.
ErrorStatistics measure(const Tensor<double>& values, const ReferenceTensor& exact, scalar::Format format);

/// max |a - b| over elements where both are finite, relative to max |exact|; where one is not, and not both the same infinity, an element
/// counts as nonfinite. measure_difference throws Error when the shapes differ.
struct DifferenceStatistics {
  Index nonfinite = 0;
  double max_abs = 0;
  double normwise = 0;
};
DifferenceStatistics measure_difference(const Tensor<double>& a, const Tensor<double>& b, const ReferenceTensor& exact);

/// Largest |value| of the finite ones, or 0.
double largest_finite(const Tensor<double>& values);

/// Unit in the last place of `format` at |x|: 2^(e - p + 1) with 2^e <= max(|x|, smallest normal) < 2^(e+1).
double unit_in_last_place(scalar::Format format, double x);

}  // namespace equinorm::verdict
