// The error of alpha = 1/S, S(x) = sqrt(nu sum x^2 + eps), as one factor that all components share.
#pragma once

#include <cstdint>

#include "bounds/accumulation.hpp"

namespace equinorm::bounds {

/// Sums over a vector x (exact values) and what the kernel holds of it, x + e with |e_j| <= radius_j.
struct SquareSums {
  double squares = 0;         ///< sum x_j^2
  double radius_squares = 0;  ///< sum radius_j^2
  double cross = 0;           ///< sum 2 |x_j| radius_j + radius_j^2
  std::int64_t width = 0;

  void add(double x, double radius) {
    squares += x * x;
    radius_squares += radius * radius;
    cross += (2 * std::fabs(x) + radius) * radius;
    ++width;
  }
};

struct StatisticArithmetic {
  Reduction sums;  ///< f_x
  double nu;       ///< 1/n (rms) or 1 (l2)
  double eps;
  double rsqrt_error;  ///< relative, final rounding included
};

struct Statistic {
  double alpha;  ///< 1/S, in binary64
  double rho;    ///< |computed / exact - 1| <= rho; infinite where the sum of squares may overflow or nothing is known
};

/// Error of the computed alpha: the perturbation |S(x+e) - S(x)| <= min(sqrt(nu) ||e||, nu sum(2|x|e + e^2) / (S + S')), with S' >=
/// sqrt(eps), and the rounding of the sum, of nu, of eps and of rsqrt; nu and eps are held rounded by the kernel. Proof:
/// statistic_distance, rms_lipschitz, computed_mean_square, statistic_ratio_exact, squares_guard, centre_statistic, low_evaluated,
/// statistic_slack.
Statistic statistic(const StatisticArithmetic& how, const SquareSums& x);

/// rho after alpha is stored in `format`. Proof: stored_ratio.
double stored_rho(const Statistic& alpha, const Rounding& format);

}  // namespace equinorm::bounds
