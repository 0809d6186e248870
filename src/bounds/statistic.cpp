#include "bounds/statistic.hpp"

#include <algorithm>

namespace equinorm::bounds {

Statistic statistic(const StatisticArithmetic& how, const SquareSums& x) {
  const Rounding& fx = how.sums.rounding;
  const double u = fx.unit();
  const double square = how.nu * x.squares + how.eps, s = std::sqrt(square), root_eps = std::sqrt(how.eps);
  Statistic result{1 / s, kInfinity};
  const double norm = std::sqrt(how.nu * x.radius_squares);
  const double floor = std::max(root_eps, s - norm);
  const double distance = std::min(norm, how.nu * x.cross / (s + floor)) * (1 + 0x1p-30);
  const double low = std::max(root_eps, s - distance) * (1 - 0x1p-50);
  const Accumulation sum = accumulation(how.sums, x.width);
  if (!((x.squares + x.cross) * (1 + sum.factor) + sum.underflow <= fx.largest() / (1 + 8 * u)) || !(low > 0)) return result;
  // tau: sum of squares, nu as held, its product or quotient, the addition of eps; eps as held and underflow count absolutely.
  const double absolute = how.nu * sum.underflow * std::pow(1 + u, 3) + fx.half_ulp(how.eps * (1 + 0x1p-50)) * (1 + u) +
                          3 * fx.product_underflow() + 2 * fx.sum_underflow();
  const double tau = std::expm1(std::log1p(sum.factor) + 3 * std::log1p(u)) + absolute / (low * low);
  if (!(tau < 1) || !(how.rsqrt_error < 1)) return result;
  // |log of (computed / exact)|, from above and from below.
  const double up = -0.5 * std::log1p(-tau) + std::log1p(how.rsqrt_error) + std::log1p((s - low) / low);
  const double down = 0.5 * std::log1p(tau) - std::log1p(-how.rsqrt_error) + std::log1p(distance / s);
  const double rho = std::max(std::expm1(up), -std::expm1(-down)) + fx.product_underflow() * (s + distance);
  const bool fits = (1 + rho) / s <= fx.largest();
  // 1/s, and the distances, are themselves off by the roundings of binary64's sums.
  const double own = (2 * static_cast<double>(x.width) + 64) * 0x1p-52;
  result.rho = fits ? rho * (1 + 0x1p-30) + own : kInfinity;
  return result;
}

double stored_rho(const Statistic& alpha, const Rounding& format) {
  return alpha.rho + format.error_near(alpha.alpha, alpha.alpha * alpha.rho) / alpha.alpha;
}

}  // namespace equinorm::bounds
