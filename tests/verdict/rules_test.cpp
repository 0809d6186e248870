// Public acceptance rules: each at and around its published threshold, and what each makes of NaN, infinities and zeros.
#include "verdict/rules.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "scalar/error.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::verdict {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor<double> list(const std::vector<double>& values) {
  Tensor<double> result({static_cast<Index>(values.size())});
  std::copy(values.begin(), values.end(), result.data());
  return result;
}

RuleCase in_format(scalar::Format format) {
  RuleCase about;
  about.format = about.input_format = format;
  return about;
}

RuleResult judge(const char* id, const std::vector<double>& output, const std::vector<double>& reference, const RuleCase& about) {
  return apply_rule(find_rule(id), list(output), list(reference), about);
}

bool accepts(const char* id, const std::vector<double>& output, const std::vector<double>& reference, const RuleCase& about) {
  const RuleResult result = judge(id, output, reference, about);
  INFO(id << ": " << to_string(result.outcome) << ", " << result.detail);
  REQUIRE(result.outcome != RuleOutcome::not_applicable);
  return result.outcome == RuleOutcome::accepts;
}

double next(double x) { return std::nextafterf(static_cast<float>(x), HUGE_VALF); }

TEST_CASE("onednn: relative difference against 8 (1 + keys) eps") {
  RuleCase about = in_format(scalar::kFp32);
  about.keys = 1;
  const Tensor<double> none = list({0}), much = list({64});
  about.magnitude = &none;
  const double edge = 1 + std::ldexp(1, -19);  // 8 (1 + 1) 2^-23 = 2^-19
  CHECK(accepts("onednn", {edge}, {1}, about));
  CHECK_FALSE(accepts("onednn", {next(edge)}, {1}, about));
  const RuleResult result = judge("onednn", {next(edge)}, {1}, about);
  CHECK(result.threshold == std::ldexp(1, -19));
  CHECK(result.figure == next(edge) - 1);
  // The floor eps sum p|v|, and the tiny values.
  about.magnitude = &much;
  CHECK(accepts("onednn", {1 + std::ldexp(1, -17)}, {1}, about));
  CHECK_FALSE(accepts("onednn", {1 + std::ldexp(1.125, -17)}, {1}, about));
  about.magnitude = &none;
  CHECK(accepts("onednn", {1.1e-6}, {1e-6}, about));
  CHECK_FALSE(accepts("onednn", {1.3e-5}, {1e-5}, about));
}

TEST_CASE("onednn: with enough keys zeros pass, and are only mistrusted") {
  RuleCase about = in_format(scalar::kBf16);
  about.keys = 15;  // 8 * 16 / 128 = 1
  const Tensor<double> none = list(std::vector<double>(10, 0));
  about.magnitude = &none;
  const std::vector<double> zeros(10, 0), ones(10, 1);
  CHECK(accepts("onednn", zeros, ones, about));
  CHECK(judge("onednn", zeros, ones, about).detail.find("MISTRUSTED") != std::string::npos);
  std::vector<double> nine = zeros;
  nine[3] = 1;  // 90 % zeros are trusted
  CHECK(judge("onednn", nine, ones, about).detail.find("MISTRUSTED") == std::string::npos);
  about.keys = 14;
  CHECK_FALSE(accepts("onednn", zeros, ones, about));
}

TEST_CASE("onednn: NaN and infinities") {
  for (const scalar::Format format : {scalar::kBf16, scalar::kFp16, scalar::kFp32}) {
    RuleCase about = in_format(format);
    about.keys = 1000;
    const Tensor<double> one = list({1});
    about.magnitude = &one;
    CHECK_FALSE(accepts("onednn", {kNan}, {1}, about));
    CHECK_FALSE(accepts("onednn", {1}, {kNan}, about));
    CHECK(accepts("onednn", {kNan}, {kNan}, about) == (format == scalar::kFp16));
    CHECK(accepts("onednn", {kInf}, {kInf}, about));
    CHECK_FALSE(accepts("onednn", {-kInf}, {kInf}, about));
    CHECK_FALSE(accepts("onednn", {kInf}, {1}, about));
  }
}

RuleCase hipdnn_case(scalar::Format format, Index width, Index keys) {
  RuleCase about = in_format(format);
  about.key_dim = width, about.keys = keys, about.scale = 1 / std::sqrt(static_cast<double>(width));
  about.max_query = about.max_key = about.max_value = 1;
  return about;
}

TEST_CASE("hipdnn: the analytic tolerance") {
  const double u = std::ldexp(1, -23);
  const auto linear = [u](double n) { return 2 * n * u / (1 - 2 * n * u); };
  const double base = (linear(8) + u) * std::sqrt(8.0) + 2 * linear(4) + 5 * u;
  CHECK(*hipdnn_tolerance(hipdnn_case(scalar::kFp32, 8, 4)) == Approx(base).epsilon(1e-12));
  CHECK(*hipdnn_tolerance(hipdnn_case(scalar::kFp16, 8, 4)) == Approx(base + std::ldexp(1, -10)).epsilon(1e-12));
  CHECK(*hipdnn_tolerance(hipdnn_case(scalar::kBf16, 8, 4)) == Approx(base + std::ldexp(1, -7)).epsilon(1e-12));
  RuleCase wide = hipdnn_case(scalar::kFp32, 8, 4);
  wide.input_format = scalar::kFp64;
  CHECK(*hipdnn_tolerance(wide) == Approx(base + 2 * std::sqrt(8.0) * u + u).epsilon(1e-12));
  // 2 * 65536 * 2^-23 = 1/64 >= 0.01: six sigma instead.
  const double statistical = 6 * std::sqrt(131072.0) * u;
  CHECK(*hipdnn_tolerance(hipdnn_case(scalar::kFp32, 8, 65536)) ==
        Approx((linear(8) + u) * std::sqrt(8.0) + 2 * statistical + 65537 * u).epsilon(1e-12));
  RuleCase doubled = hipdnn_case(scalar::kFp32, 8, 4);
  doubled.max_value = 2;
  CHECK(*hipdnn_tolerance(doubled) == Approx(2 * base).epsilon(1e-12));
}

TEST_CASE("hipdnn: at the tolerance, and nonfinite values") {
  const RuleCase about = hipdnn_case(scalar::kFp32, 8, 4);
  const double tolerance = static_cast<float>(*hipdnn_tolerance(about));
  CHECK(accepts("hipdnn", {tolerance}, {0}, about));
  CHECK_FALSE(accepts("hipdnn", {next(tolerance)}, {0}, about));
  CHECK(judge("hipdnn", {next(tolerance)}, {0}, about).threshold == tolerance);
  CHECK(accepts("hipdnn", {kNan}, {kInf}, about));
  CHECK(accepts("hipdnn", {-kInf}, {kInf}, about));
  CHECK_FALSE(accepts("hipdnn", {kNan}, {0}, about));
  CHECK_FALSE(accepts("hipdnn", {0}, {kNan}, about));
  RuleCase huge = about;
  huge.keys = Index{1} << 42;
  CHECK(judge("hipdnn", {0}, {0}, huge).outcome == RuleOutcome::not_applicable);
}

TEST_CASE("ggml: normalised by the tested output, not by the reference") {
  const RuleCase about = in_format(scalar::kFp32);
  // (d / (1 + d))^2 against 5e-4
  for (const auto& [factor, accepted] : {std::pair{1.0228, true}, {1.0230, false}, {0.9782, true}, {0.9780, false}}) {
    INFO(factor);
    CHECK(accepts("ggml", {factor, -2 * factor}, {1, -2}, about) == accepted);
  }
  CHECK(judge("ggml", {1.1, 2.2}, {1, 2}, about).figure == Approx(0.01 / 1.21).epsilon(1e-5));
  CHECK_FALSE(accepts("ggml", {0, 0}, {1, 2}, about));
  CHECK(accepts("ggml", {0, 0}, {0, 0}, about));
  CHECK_FALSE(accepts("ggml", {kNan, 1}, {kNan, 1}, about));
  CHECK_FALSE(accepts("ggml", {kInf, 1}, {1, 1}, about));
  CHECK_FALSE(accepts("ggml", {kInf, 1}, {-kInf, 1}, about));
  CHECK(accepts("ggml", {kInf, 7}, {kInf, 1}, about));  // inf - inf is NaN, and NaN > 5e-4 is false
  // One wrong element among many hides in the mean.
  std::vector<double> reference(4000, 1), output = reference;
  output[17] = 0;
  CHECK(accepts("ggml", output, reference, about));
}

TEST_CASE("flashinfer-bench: an element fails only if both differences are above 1e-2") {
  const RuleCase about = in_format(scalar::kFp32);
  CHECK(accepts("flashinfer-bench", {0.0099}, {0}, about));
  CHECK_FALSE(accepts("flashinfer-bench", {0.0101}, {0}, about));
  CHECK(accepts("flashinfer-bench", {10.09}, {10}, about));
  CHECK_FALSE(accepts("flashinfer-bench", {10.11}, {10}, about));
  CHECK(judge("flashinfer-bench", {10.11}, {10}, about).figure == Approx(0.011).epsilon(1e-3));
  CHECK_FALSE(accepts("flashinfer-bench", {-kInf}, {-kInf}, about));
  CHECK_FALSE(accepts("flashinfer-bench", {kNan}, {1}, about));
  CHECK(accepts("flashinfer-bench", {123}, {kNan}, about));
  CHECK(accepts("flashinfer-bench", {0, 0}, {0.009, -0.009}, about));
}

TEST_CASE("kernelbench: allclose relative to the output") {
  const RuleCase single = in_format(scalar::kFp32), half = in_format(scalar::kBf16);
  CHECK(accepts("kernelbench", {1.0002}, {1}, single));
  CHECK_FALSE(accepts("kernelbench", {1.00021}, {1}, single));
  CHECK(accepts("kernelbench", {1.015625}, {1}, half));
  CHECK(accepts("kernelbench", {1.0234375}, {1.0078125}, half));
  CHECK_FALSE(accepts("kernelbench", {1.0234375}, {1}, half));  // 3/128 against bf16(0.01 + bf16(0.01 * 1.0234))
  // The tolerance grows with the output: exchanging the two changes the answer.
  CHECK(accepts("kernelbench", {1.00005e-4}, {0}, single));
  CHECK_FALSE(accepts("kernelbench", {0}, {1.00005e-4}, single));
  CHECK_FALSE(accepts("kernelbench", {kNan}, {kNan}, single));
  CHECK(accepts("kernelbench", {-kInf}, {-kInf}, single));
  CHECK_FALSE(accepts("kernelbench", {kInf}, {1}, single));
  CHECK(judge("kernelbench", {1}, {1}, in_format(scalar::kFp64)).outcome == RuleOutcome::not_applicable);
}

TEST_CASE("flash-attention: at most twice the naive implementation's error") {
  RuleCase about = in_format(scalar::kBf16);
  CHECK(judge("flash-attention", {1}, {1}, about).outcome == RuleOutcome::not_applicable);
  const Tensor<double> naive = list({1, 2.5});
  about.naive = &naive;
  CHECK(accepts("flash-attention", {1, 3}, {1, 2}, about));
  CHECK_FALSE(accepts("flash-attention", {1, 3.015625}, {1, 2}, about));
  CHECK(judge("flash-attention", {1, 3.015625}, {1, 2}, about).threshold == 1);
  CHECK_FALSE(accepts("flash-attention", {kNan, 2}, {1, 2}, about));
  CHECK_FALSE(accepts("flash-attention", {1, kInf}, {1, kInf}, about));
  const Tensor<double> bad = list({kNan, 2});
  about.naive = &bad;
  CHECK_FALSE(accepts("flash-attention", {1, 2}, {1, 2}, about));
  about.format = scalar::kFp32;
  CHECK(judge("flash-attention", {1, 2}, {1, 2}, about).outcome == RuleOutcome::not_applicable);
}

TEST_CASE("flash-attention-3: an error of ref + 0.3 - 0.3 is granted") {
  RuleCase about = in_format(scalar::kBf16);
  const Tensor<double> naive = list({1});
  about.naive = &naive;
  // bf16(bf16(1 + 0.3) - 0.3) = 1 - 2^-8, so 2^-7 is granted.
  CHECK(accepts("flash-attention-3", {1 + std::ldexp(1, -7)}, {1}, about));
  CHECK_FALSE(accepts("flash-attention-3", {1 + std::ldexp(1, -6)}, {1}, about));
  CHECK_FALSE(accepts("flash-attention", {1 + std::ldexp(1, -7)}, {1}, about));
  const Tensor<double> off = list({1.25});
  about.naive = &off;
  CHECK_FALSE(accepts("flash-attention-3", {1.75}, {1}, about));
  about.softcap = true;
  CHECK(accepts("flash-attention-3", {1.75}, {1}, about));
}

TEST_CASE("flashmla: elements, then the cosine") {
  const RuleCase about = in_format(scalar::kFp32);
  const std::vector<double> ones(100, 1);
  const auto with = [&](double x) {
    std::vector<double> changed = ones;
    changed[42] = x;
    return changed;
  };
  CHECK(accepts("flashmla", with(1 + 2.009 / 128), ones, about));
  CHECK_FALSE(accepts("flashmla", with(1 + 2.011 / 128), ones, about));
  CHECK(accepts("flashmla", with(7.99e-4), with(0), about));
  CHECK_FALSE(accepts("flashmla", with(8.01e-4), with(0), about));
  // (x - y)^2 / (x^2 + y^2) against 5e-6: every element 3.15e-3 or 3.17e-3 too large.
  CHECK(accepts("flashmla", std::vector<double>(100, 1.00315), ones, about));
  CHECK_FALSE(accepts("flashmla", std::vector<double>(100, 1.00318), ones, about));
  CHECK(judge("flashmla", std::vector<double>(100, 1.00318), ones, about).threshold == 5e-6);
  // A tiny reference has no cosine, and 8e-4 of anything passes.
  CHECK(accepts("flashmla", std::vector<double>(100, -7e-4), std::vector<double>(100, 1e-8), about));
  CHECK(accepts("flashmla", with(kNan), with(kNan), about));
  CHECK(accepts("flashmla", with(-kInf), with(-kInf), about));
  CHECK_FALSE(accepts("flashmla", with(kInf), with(-kInf), about));
  CHECK_FALSE(accepts("flashmla", with(kNan), ones, about));
  RuleCase lse = about;
  lse.tensor = "lse";
  CHECK(accepts("flashmla", with(1 + 8e-5), ones, lse));
  CHECK_FALSE(accepts("flashmla", with(1 + 1.3e-4), ones, lse));
}

TEST_CASE("cutlass: stricter for small differences than for large ones") {
  const RuleCase about = in_format(scalar::kFp32);
  CHECK(accepts("cutlass", {1.1}, {1}, about));
  CHECK_FALSE(accepts("cutlass", {1.11}, {1}, about));
  CHECK(accepts("cutlass", {1.9e-4}, {0}, about));
  CHECK_FALSE(accepts("cutlass", {2e-4}, {0}, about));
  CHECK_FALSE(accepts("cutlass", {1.001}, {1}, about));  // below 1/256, so against 0.05/256
  CHECK(accepts("cutlass", {1.004}, {1}, about));
  CHECK_FALSE(accepts("cutlass", {kNan}, {kNan}, about));
  CHECK(accepts("cutlass", {kInf}, {kInf}, about));
  // One bf16 ulp beside 0.05 is more than the 0.05/256 that is allowed there.
  const RuleCase half = in_format(scalar::kBf16);
  const double x = scalar::round_to(scalar::kBf16, 0.05), ulp = std::ldexp(1, -12);
  CHECK_FALSE(accepts("cutlass", {x + ulp}, {x}, half));
}

TEST_CASE("every rule accepts the rounded reference, and rejects its negative") {
  for (const scalar::Format format : {scalar::kBf16, scalar::kFp16, scalar::kFp32}) {
    RuleCase about = hipdnn_case(format, 192, 64);
    Tensor<double> reference({4, 32}), output({4, 32}), negative({4, 32}), magnitude({4, 32});
    for (Index i = 0; i < reference.size(); ++i) {
      reference[i] = std::sin(static_cast<double>(i) + 0.5);
      output[i] = scalar::round_to(format, reference[i]);
      negative[i] = -output[i];
      magnitude[i] = std::fabs(reference[i]);
    }
    about.naive = &output, about.magnitude = &magnitude, about.keys = format == scalar::kBf16 ? 16 : 64;
    for (const Rule& rule : rules()) {
      INFO(rule.id << " in " << scalar::to_string(format));
      const RuleOutcome right = apply_rule(rule, output, reference, about).outcome;
      CHECK(right == (rule.needs_naive && format == scalar::kFp32 ? RuleOutcome::not_applicable : RuleOutcome::accepts));
      if (right == RuleOutcome::accepts) CHECK(apply_rule(rule, negative, reference, about).outcome == RuleOutcome::rejects);
    }
  }
}

TEST_CASE("rules by name, needs and shapes") {
  std::set<std::string_view> ids;
  for (const Rule& rule : rules()) {
    ids.insert(rule.id);
    for (const std::string_view text : {rule.source, rule.formula, rule.nonfinite}) CHECK(!text.empty());
  }
  CHECK(ids.size() == rules().size());
  CHECK(ids == std::set<std::string_view>{"onednn", "hipdnn", "ggml", "flashinfer-bench", "kernelbench", "flash-attention",
                                          "flash-attention-3", "flashmla", "cutlass"});
  CHECK_THROWS_WITH(find_rule("flash-atention"), Catch::Contains("did you mean flash-attention") && Catch::Contains("cutlass"));
  const RuleCase bare;
  for (const char* id : {"onednn", "hipdnn", "flash-attention", "flash-attention-3"}) {
    CHECK(judge(id, {1}, {1}, bare).outcome == RuleOutcome::not_applicable);
  }
  RuleCase logits;
  logits.tensor = "logits";
  CHECK(judge("flashmla", {1}, {1}, logits).outcome == RuleOutcome::not_applicable);
  CHECK(judge("ggml", {1}, {1}, logits).outcome == RuleOutcome::accepts);
  CHECK_THROWS_AS(judge("ggml", {1, 2}, {1}, bare), Error);
}

}  // namespace
}  // namespace equinorm::verdict
