// Softmax averages of rows of values, and how far a kernel's may be.
#pragma once

#include "bounds/softmax_weights.hpp"

namespace equinorm::bounds {

/// What is averaged: exact values y [T,width] in binary64 and how far the kernel's are.
struct Values {
  Tensor<double> value;
  Tensor<double> radius;    ///< empty: exact
  std::vector<double> own;  ///< [width] what binary64 itself may lose in any |y_ti|
};

/// The same where it lies.
struct ValueView {
  explicit ValueView(const Values& values)
      : value(values.value.data()),
        radius(values.radius.empty() ? nullptr : values.radius.data()),
        own(values.own.empty() ? nullptr : values.own.data()),
        tokens(values.value.dim(0)),
        width(values.value.dim(1)) {}
  ValueView(const double* exact, const double* radii, const double* lost, Index rows, Index columns)
      : value(exact), radius(radii), own(lost), tokens(rows), width(columns) {}

  const double* value;
  const double* radius;         ///< null: exact
  const double* own = nullptr;  ///< null: nothing is lost
  Index tokens, width;

  /// Upper bound of the kernel's |y_tj|.
  double held(Index t, Index j) const {
    double most = std::fabs(value[t * width + j]);
    if (radius != nullptr) most += radius[t * width + j];
    return own != nullptr ? most + own[j] : most;
  }
};

/// [n,width] each. `weights` is what wrong weights do (T1: the centred bound, so that it grows with the spread of y, not its size),
/// `accumulation` what summing and dividing do (T2), `stored_p` what a p rounded beside its denominator does, `carried` the values' own
/// radii (T3).
struct AverageBound {
  Tensor<double> mean;
  Tensor<double> weights, accumulation, stored_p, carried;

  /// All four, and the rounding of the quotient. Proof: average_stages, fallback_finished.
  double total(const Setting& at, Index i, Index j) const;
};

/// The parts of the bound of every row. Rows whose weights are unbounded use convexity alone for `weights`; infinite where the accumulator
/// may overflow. Proof: accumulator_guard, weighted_average_error, weighted_average_inexact, weighted_average_fallback,
/// accumulated_average_error, kernel_average_error, average_stages, reference_guard, live_average, empty_row,
/// own_logits, mean_distance, mean_error, mean_allowance, mean_own, mean_own_covers, weights_own, fallback_stages, fallback_as_coded.
AverageBound average_bound(const Setting& at, const std::vector<RowWeights>& rows, const Scores& scores, const ValueView& values);

/// Rounding of the quotient N / D, by a division or a reciprocal and a product. Proof: quotient_error.
double quotient_rounding(const Setting& at, double magnitude);

}  // namespace equinorm::bounds
