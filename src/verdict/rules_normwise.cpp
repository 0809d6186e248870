#include "verdict/rules_normwise.hpp"

#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "scalar/rounding.hpp"

namespace equinorm::verdict {
namespace {

double rounded(scalar::Format format, double x) { return scalar::round_to(format, x); }
bool infinite_or_largest(float x) { return std::isinf(x) || std::fabs(x) == FLT_MAX; }

/// max |a - b| with differences rounded to `format`; NaN if any is.
double largest_difference(scalar::Format format, const Tensor<double>& a, const Tensor<double>& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(rounded(format, a[i] - b[i]));
    if (!(difference <= largest)) largest = difference;
    if (std::isnan(difference)) return difference;
  }
  return largest;
}

Tensor<double> rounded_reference(scalar::Format format, const Tensor<double>& reference) {
  Tensor<double> result(reference.shape());
  for (Index i = 0; i < reference.size(); ++i) result[i] = rounded(format, reference[i]);
  return result;
}

RuleResult judge_against_naive(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about, double factor,
                               bool with_slack) {
  const scalar::Format f = about.format;
  const Tensor<double> expected = rounded_reference(f, reference);
  double slack = 0;
  for (Index i = 0; i < expected.size() && with_slack; ++i) {
    const double moved = rounded(f, rounded(f, rounded(f, expected[i] + 0.3) - 0.3) - expected[i]);
    if (!(std::fabs(moved) <= slack)) slack = std::fabs(moved);
  }
  const double figure = largest_difference(f, output, expected);
  const double threshold = factor * largest_difference(f, *about.naive, expected) + 2 * slack;
  return {figure <= threshold ? RuleOutcome::accepts : RuleOutcome::rejects, figure, threshold, "largest absolute difference"};
}

/// Tolerances of FlashMLA for one kind of output.
struct Tolerances {
  float absolute, relative;
  double cosine;
};

/// What compare.py does with infinities and NaN: their places must agree, then they count as 0.
bool equal_anomalies(std::vector<float>& output, std::vector<float>& reference) {
  bool agree = true;
  for (std::size_t i = 0; i < output.size(); ++i) {
    float &x = output[i], &y = reference[i];
    const auto kind = [](float z) { return std::isnan(z) ? 3 : !std::isinf(z) ? 0 : z > 0 ? 1 : 2; };
    agree = agree && kind(x) == kind(y);
    if (kind(x) != 0) x = 0;
    if (kind(y) != 0) y = 0;
  }
  return agree;
}

double cosine_difference(const std::vector<float>& output, const std::vector<float>& reference) {
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double x = output[i], y = reference[i];
    xx += x * x, yy += y * y, xy += x * y;
  }
  return yy < 1e-12 ? 0 : 1 - 2 * xy / (xx + yy);
}

}  // namespace

RuleResult judge_ggml(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase&) {
  constexpr double kLargest = 5e-4;
  double difference = 0, size = 0;
  for (Index i = 0; i < output.size(); ++i) {
    const float a = static_cast<float>(output[i]), b = static_cast<float>(reference[i]);
    const bool infinite = infinite_or_largest(a);
    if (std::isnan(a) || std::isnan(b) || infinite != infinite_or_largest(b) || (infinite && std::signbit(a) != std::signbit(b))) {
      return {RuleOutcome::rejects, std::numeric_limits<double>::quiet_NaN(), kLargest, "NaN, or an infinity on one side only"};
    }
    difference += (a - b) * (a - b), size += a * a;
  }
  const double figure = difference / size;  // 0/0 and inf - inf are NaN, which no comparison calls too large
  return {figure > kLargest ? RuleOutcome::rejects : RuleOutcome::accepts, figure, kLargest, "normalised mean square error"};
}

RuleResult judge_flash_attention(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  return judge_against_naive(output, reference, about, 2, false);
}

RuleResult judge_flash_attention_3(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  return judge_against_naive(output, reference, about, about.softcap ? 3 : 2, true);
}

RuleResult judge_flashmla(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  const Tolerances tolerance = about.tensor == "lse" ? Tolerances{1e-6F, static_cast<float>(8.01 / 65536), 1e-7}
                                                     : Tolerances{8e-4F, static_cast<float>(2.01 / 128), 5e-6};
  std::vector<float> x, y;
  for (Index i = 0; i < output.size(); ++i) {
    x.push_back(static_cast<float>(output[i]));
    y.push_back(static_cast<float>(rounded(about.format, reference[i])));
  }
  if (!equal_anomalies(x, y)) {
    return {RuleOutcome::rejects, std::numeric_limits<double>::quiet_NaN(), tolerance.cosine, "NaN or infinities in other places"};
  }
  float worst = 0;
  Index failures = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float error = std::fabs(x[i] - y[i]), relative = error / (std::fabs(y[i]) + 1e-6F);
    if (error < tolerance.absolute || relative < tolerance.relative) continue;
    ++failures;
    worst = std::fmax(worst, error);
  }
  if (failures > 0) {
    return {RuleOutcome::rejects, worst, tolerance.absolute,
            "absolute difference, " + std::to_string(failures) + " of " + std::to_string(output.size()) + " fail"};
  }
  const double figure = std::fabs(cosine_difference(x, y));
  return {figure > tolerance.cosine ? RuleOutcome::rejects : RuleOutcome::accepts, figure, tolerance.cosine, "cosine difference"};
}

}  // namespace equinorm::verdict
