#include "verdict/rules_elementwise.hpp"

#include <cfloat>
#include <cmath>
#include <limits>

#include "scalar/rounding.hpp"

namespace equinorm::verdict {
namespace {

/// Keeps the worst element of a rule that demands figure <= threshold (or <) of each: the first that fails, else the one nearest to it.
class Worst {
 public:
  void meet(bool passes, double figure, double threshold) {
    const double ratio = threshold > 0 ? figure / threshold : figure > 0 ? std::numeric_limits<double>::infinity() : 0;
    const bool worse = !passes && result_.outcome == RuleOutcome::accepts;
    if (worse || (passes == (result_.outcome == RuleOutcome::accepts) && ratio > ratio_)) {
      ratio_ = ratio, result_.figure = figure, result_.threshold = threshold;
    }
    if (!passes) result_.outcome = RuleOutcome::rejects, ++failures_;
  }
  RuleResult result(const std::string& what, Index elements) {
    result_.detail = what;
    if (failures_ > 0) result_.detail += ", " + std::to_string(failures_) + " of " + std::to_string(elements) + " fail";
    return result_;
  }

 private:
  RuleResult result_{RuleOutcome::accepts, 0, 0, {}};
  double ratio_ = -1;
  Index failures_ = 0;
};

double rounded(scalar::Format format, double x) { return scalar::round_to(format, x); }
float single(double x) { return static_cast<float>(x); }

/// Share of zeros above which benchdnn calls a passing result MISTRUSTED (and still exits with 0).
constexpr double kZeroTrust = 0.9;
constexpr Index kZeroTrustFrom = 10;

}  // namespace

double epsilon_of(scalar::Format format) { return std::ldexp(1.0, 1 - format.precision); }

RuleResult judge_onednn(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  const float epsilon = single(epsilon_of(about.format));
  const float threshold = 8.0F * static_cast<float>(1 + about.keys) * epsilon;
  const bool may_be_nan = about.format == scalar::kFp16;  // the comparison allows equal NaN and infinities in f16, not in bf16 and f32
  Worst worst;
  Index zeros = 0;
  for (Index i = 0; i < output.size(); ++i) {
    const float got = single(output[i]), exact = single(reference[i]), expected = single(rounded(about.format, exact));
    const float difference = std::fabs(expected - got);
    const float relative = std::fabs(expected) > 1e-5F ? difference / std::fabs(expected) : difference;
    if (got == 0) ++zeros;
    const bool same_extreme = (std::isnan(expected) && std::isnan(got)) || (std::isinf(expected) && expected == got);
    const bool by_floor = exact == got || (std::fabs(expected) <= 1e-5F && difference < FLT_EPSILON) || (may_be_nan && same_extreme) ||
                          difference <= epsilon * single((*about.magnitude)[i]);
    worst.meet(by_floor || relative <= threshold, by_floor && !(relative <= threshold) ? 0 : relative, threshold);
  }
  RuleResult result = worst.result("relative difference", output.size());
  const bool mistrusted = output.size() >= kZeroTrustFrom && static_cast<double>(zeros) > kZeroTrust * static_cast<double>(output.size());
  if (result.outcome == RuleOutcome::accepts && mistrusted) result.detail += ", MISTRUSTED (zeros), yet exit code 0";
  return result;
}

std::optional<double> hipdnn_tolerance(const RuleCase& about) {
  const double u = epsilon_of(scalar::kFp32), q = about.max_query.value(), k = about.max_key.value(), v = about.max_value.value();
  const auto gamma = [u](Index terms) {
    const double n = 2 * static_cast<double>(terms);
    return n * u < 0.01 ? n * u / (1 - n * u) : 6 * std::sqrt(n) * u;
  };
  const double gamma_d = gamma(about.key_dim), gamma_t = gamma(about.keys);
  if (about.key_dim < 1 || about.keys < 1 || gamma_d >= 0.5 || gamma_t >= 0.5) return {};
  const double score = static_cast<double>(about.key_dim) * q * k * std::fabs(about.scale);
  const double input = epsilon_of(about.input_format), output = epsilon_of(about.format);
  const double softmax = gamma_t + static_cast<double>(about.keys + 1) * u;
  double tolerance = (gamma_d + u) * score * v + softmax * v + gamma_t * v;
  if (input < u) tolerance += 2 * score * u * v + v * u;
  if (output > u) tolerance += v * output;
  return tolerance;
}

RuleResult judge_hipdnn(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  const std::optional<double> exact_tolerance = hipdnn_tolerance(about);
  if (!exact_tolerance) return {RuleOutcome::not_applicable, 0, 0, "the published tolerance is undefined at this size"};
  const float tolerance = single(*exact_tolerance);
  Worst worst;
  for (Index i = 0; i < output.size(); ++i) {
    const double expected = rounded(about.format, reference[i]);
    const bool bad = !std::isfinite(output[i]), bad_reference = !std::isfinite(expected);
    if (bad && bad_reference) continue;
    const float difference = single(rounded(about.format, std::fabs(output[i] - expected)));
    worst.meet(bad == bad_reference && !(difference > tolerance), bad == bad_reference ? difference : HUGE_VAL, tolerance);
  }
  return worst.result("absolute difference", output.size());
}

RuleResult judge_flashinfer_bench(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  constexpr double kTolerance = 1e-2;
  Worst worst;
  for (Index i = 0; i < output.size(); ++i) {
    const float x = single(output[i]), y = single(rounded(about.format, reference[i]));
    if (!std::isfinite(x)) {
      worst.meet(false, HUGE_VAL, kTolerance);
      continue;
    }
    const float difference = std::fabs(x - y), relative = difference / (std::fabs(y) + 1e-8F);
    const bool exceeds = static_cast<double>(difference) > kTolerance && static_cast<double>(relative) > kTolerance;
    worst.meet(!exceeds, std::fmin(difference, relative), kTolerance);
  }
  return worst.result("smaller of absolute and relative", output.size());
}

RuleResult judge_kernelbench(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  const scalar::Format f = about.format;
  if (f == scalar::kFp64) return {RuleOutcome::not_applicable, 0, 0, "the harness knows fp32, fp16 and bf16 only"};
  const float tolerance = f == scalar::kFp32 ? 1e-4F : 1e-2F;
  const auto step = [f](double exact) { return rounded(f, static_cast<double>(single(exact))); };  // computed in fp32, stored in f
  Worst worst;
  for (Index i = 0; i < output.size(); ++i) {
    const double x = output[i], y = rounded(f, reference[i]);
    const double allowed = step(tolerance + std::fabs(step(tolerance * x))), difference = step(std::fabs(y - x));
    worst.meet(x == y || (std::isfinite(difference) && difference <= allowed), x == y ? 0 : difference, allowed);
  }
  return worst.result("absolute difference", output.size());
}

RuleResult judge_cutlass(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about) {
  const scalar::Format f = about.format;
  const double epsilon = rounded(f, 0.05), floor = rounded(f, 1.0 / 256);
  Worst worst;
  for (Index i = 0; i < output.size(); ++i) {
    const double x = output[i], y = rounded(f, reference[i]), difference = std::fabs(rounded(f, x - y));
    const bool near_zero = x == 0 || y == 0 || difference < floor;
    const double allowed = rounded(f, epsilon * (near_zero ? floor : rounded(f, std::fabs(x) + std::fabs(y))));
    worst.meet(x == y || difference < allowed, x == y ? 0 : difference, allowed);
  }
  return worst.result("absolute difference", output.size());
}

}  // namespace equinorm::verdict
