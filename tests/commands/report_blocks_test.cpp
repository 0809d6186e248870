// A report's case that is cut into rows, heads and steps says what the whole case says, whatever the order of its parts.
#include <catch2/catch.hpp>
#include <cmath>

#include "commands/report_case.hpp"

namespace equinorm::commands {
namespace {

using report::CaseReport;

CaseFindings through_a_line(const CaseFindings& findings) { return work::from_line<CaseFindings>(work::to_line(findings)); }

/// Parts from the last to the first, or each on a process of its own.
CaseReport run_case(const ReportCase& made, bool alone) {
  ReportCase one = made;
  std::vector<CaseFindings> all(one.parts().size());
  for (std::size_t part = all.size(); part-- > 0;) {
    all[part] = through_a_line(one.run(part, [](const std::string&) {}));
    if (alone) one.forget();
  }
  std::vector<CaseReport> cases = gather_findings(std::move(all));
  REQUIRE(cases.size() == 1);
  return cases.front();
}

/// Equal but for the reference's last bits, which depend on how the oracle cuts its products, and for the order of sums.
void check_close(double a, double b) {
  if (std::isnan(b))
    CHECK(std::isnan(a));
  else
    CHECK(a == Approx(b).epsilon(1e-8).margin(1e-300));
}

void check_close(const std::optional<double>& a, const std::optional<double>& b) {
  REQUIRE(a.has_value() == b.has_value());
  if (a) check_close(*a, *b);
}

void check_errors(const verdict::CaseResult& cut, const verdict::CaseResult& whole) {
  REQUIRE(cut.errors.size() == whole.errors.size());
  for (std::size_t i = 0; i < whole.errors.size(); ++i) {
    const verdict::ErrorRow &a = cut.errors[i], &b = whole.errors[i];
    INFO(b.arithmetic << " " << b.path << " " << b.tensor);
    CHECK((a.arithmetic == b.arithmetic && a.path == b.path && a.tensor == b.tensor));
    CHECK((a.verdict == b.verdict && a.detail == b.detail));
    CHECK(a.error.worst == b.error.worst);
    CHECK((a.error.elements == b.error.elements && a.error.nonfinite == b.error.nonfinite && a.unbounded == b.unbounded));
    check_close(a.error.max_abs, b.error.max_abs), check_close(a.error.max_relative, b.error.max_relative);
    check_close(a.error.max_ulp, b.error.max_ulp);
    if (b.error.nonfinite == 0) check_close(a.error.normwise, b.error.normwise);
    // Padding's bound of 0 is one of the whole only.
    const bool padding_alone = b.bound == 0.0 && !a.bound;
    if (!padding_alone) check_close(a.bound, b.bound), check_close(a.ratio, b.ratio), check_close(a.judged_error, b.judged_error);
  }
  REQUIRE(cut.differences.size() == whole.differences.size());
  for (std::size_t i = 0; i < whole.differences.size(); ++i) {
    const verdict::DifferenceRow &a = cut.differences[i], &b = whole.differences[i];
    INFO(b.arithmetic << " " << b.tensor);
    CHECK((a.arithmetic == b.arithmetic && a.tensor == b.tensor));
    check_close(a.difference.max_abs, b.difference.max_abs), check_close(a.difference.normwise, b.difference.normwise);
    if (b.bound == 0.0 && !a.bound) continue;  // of padding alone
    REQUIRE(a.bound.has_value() == b.bound.has_value());
    if (b.tensor == "logits" && b.bound)
      CHECK((*a.bound <= *b.bound * (1 + 1e-9) && *a.bound >= *b.bound / 2));
    else
      check_close(a.bound, b.bound);
  }
}

void check_histograms(const CaseReport& cut, const CaseReport& whole) {
  REQUIRE(cut.histograms.size() == whole.histograms.size());
  for (std::size_t i = 0; i < whole.histograms.size(); ++i) {
    const report::Histogram &a = cut.histograms[i], &b = whole.histograms[i];
    INFO(b.arithmetic << " " << b.path);
    CHECK((a.arithmetic == b.arithmetic && a.path == b.path && a.tensor == b.tensor && a.format == b.format));
    CHECK((a.elements == b.elements && a.exact == b.exact && a.nonfinite == b.nonfinite && a.counts == b.counts));
  }
}

void check_storage(const CaseReport& cut, const CaseReport& whole) {
  CHECK(cut.storage_notes == whole.storage_notes);
  REQUIRE(cut.storage.size() == whole.storage.size());
  REQUIRE(!whole.storage.empty());
  for (std::size_t i = 0; i < whole.storage.size(); ++i) {
    const report::StorageRow &a = cut.storage[i], &b = whole.storage[i];
    INFO(b.path << " " << b.tensor << " " << scalar::to_string(b.format));
    CHECK((a.tensor == b.tensor && a.path == b.path && a.format == b.format && a.seen_in == b.seen_in && a.yardstick == b.yardstick));
    check_close(a.base_error, b.base_error), check_close(a.error, b.error), check_close(a.moved, b.moved);
    check_close(a.base_bound, b.base_bound), check_close(a.bound, b.bound), check_close(a.predicted, b.predicted);
    check_close(a.kappa_w, b.kappa_w), check_close(a.kappa_2, b.kappa_2), check_close(a.kappa_centred, b.kappa_centred);
    check_close(a.kappa_v, b.kappa_v);
  }
}

void check_rules(const verdict::CaseResult& cut, const verdict::CaseResult& whole) {
  REQUIRE(cut.rules.size() == whole.rules.size());
  REQUIRE(!whole.rules.empty());
  for (std::size_t i = 0; i < whole.rules.size(); ++i) {
    const verdict::RuleRow &a = cut.rules[i], &b = whole.rules[i];
    INFO(b.rule << ": " << b.result.detail << " / " << a.result.detail);
    CHECK((a.rule == b.rule && a.tensor == b.tensor && a.run == b.run && a.verdict == b.verdict));
    CHECK(a.result.outcome == b.result.outcome);
    check_close(a.result.figure, b.result.figure), check_close(a.result.threshold, b.result.threshold);
  }
}

void check_equal(const CaseReport& cut, const CaseReport& whole) {
  check_errors(cut.result, whole.result), check_histograms(cut, whole), check_storage(cut, whole), check_rules(cut.result, whole.result);
  CHECK(cut.result.notes == whole.result.notes);
  CHECK(cut.result.reproduce == whole.result.reproduce);
  REQUIRE(cut.result.checks.size() == whole.result.checks.size());
  for (std::size_t i = 0; i < whole.result.checks.size(); ++i) {
    const verdict::ExactCheck &a = cut.result.checks[i], &b = whole.result.checks[i];
    CHECK((a.method == b.method && a.verdict == b.verdict && a.scope == b.scope && a.elements == b.elements));
  }
  REQUIRE(cut.result.sensitivity.size() == whole.result.sensitivity.size());
  for (std::size_t i = 0; i < whole.result.sensitivity.size(); ++i)
    CHECK((cut.result.sensitivity[i].mutant == whole.result.sensitivity[i].mutant &&
           cut.result.sensitivity[i].verdict == whole.result.sensitivity[i].verdict));
}

struct Sample {
  const char* name;
  std::vector<std::pair<std::string, std::string>> overrides;
  std::size_t blocks;  ///< at a limit of one multiply-add
  bool sensitivity = false;
};

TEST_CASE("a report's case cut and whole: the same figures") {
  const std::vector<Sample> samples{
      {"mla-blockwise-yarn",
       {{"context", "[17,5]"}, {"batch", "2"}, {"queries", "2"}, {"heads", "6"}, {"groups", "3"}, {"latent", "12"}},
       6,
       true},
      {"mla-no-norm-softcap-sink", {{"context", "19"}, {"heads", "20"}, {"groups", "4"}, {"latent", "12"}}, 4},
      {"gqa-per-head-gated", {{"context", "21"}, {"heads", "8"}, {"groups", "4"}}, 4},
      {"gqa-full-width", {{"context", "[9,21,4]"}, {"batch", "3"}}, 3},
      {"mla-full-width-ragged", {{"context", "[12,7]"}, {"batch", "2"}, {"latent", "12"}}, 2},
      {"mla-from-x", {{"context", "[13,6]"}, {"batch", "2"}, {"queries", "2"}, {"latent", "12"}, {"model_dim", "10"}}, 2}};
  for (const Sample& sample : samples) {
    DYNAMIC_SECTION(sample.name) {
      Options options;
      options.overrides = sample.overrides;
      ReportOptions asked;
      asked.formats = {"bf16", "bf16/fp32", "fp16/fp32", "fp32"};
      asked.sensitivity = sample.sensitivity;
      ReportOptions finest = asked;
      asked.cut = 1e30, finest.cut = 1;
      const ReportCase whole(sample.name, asked, options), cut(sample.name, finest, options);
      REQUIRE(whole.blocks() == 1);
      REQUIRE(whole.parts().front().steps.size() == 3);
      REQUIRE(cut.blocks() == sample.blocks);
      REQUIRE(cut.parts().size() >= 3 + sample.blocks * 8);
      const CaseReport one = run_case(whole, false);
      check_equal(run_case(cut, false), one);
      if (sample.blocks == 2) check_equal(run_case(cut, true), one);
    }
  }
}

TEST_CASE("what is planned has a cost and is rated like a part of verify") {
  Options options;
  options.overrides = {{"context", "40"}};
  ReportOptions asked;
  asked.cut = 1, asked.sensitivity = true;
  const ReportCase one("mla-blockwise-yarn", asked, options);
  for (const ReportPart& part : one.parts()) {
    INFO(part.what);
    CHECK(part.steps.size() == 1);
    for (const CasePart& step : part.steps) CHECK(step.cost > 0);
  }
  CHECK(like_verify({.what = "storage, absorbed form", .cost = 7}).what == "fp32");
  CHECK(like_verify({.what = "bf16", .cost = 7}).what == "bf16");
}

}  // namespace
}  // namespace equinorm::commands
