// The public rules' rows in text and JSON.
#include "report/rules_text.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "report/json.hpp"

namespace equinorm::report {
namespace {

using verdict::RuleOutcome;

verdict::RunResult run_with_rules() {
  verdict::CaseResult result;
  for (const char* tensor : {"o", "lse"}) {
    verdict::ErrorRow row;
    row.arithmetic = "BF16", row.path = "file", row.tensor = tensor;
    row.verdict = tensor[0] == 'o' ? verdict::Verdict::violates : verdict::Verdict::measured;
    result.errors.push_back(row);
  }
  const std::string detail = "absolute difference, 123456789 of 123456789 fail";
  result.rules = {{"o", "flash-attention-3", {RuleOutcome::accepts, 1.5e-5, 2.5e-5, detail}},
                  {"o", "ggml", {RuleOutcome::rejects, std::numeric_limits<double>::quiet_NaN(), 5e-4, "NaN"}},
                  {"lse", "onednn", {RuleOutcome::not_applicable, 0, 0, "made for the attention output o"}}};
  verdict::RunResult run;
  run.command = "compare";
  run.cases = {result};
  return run;
}

TEST_CASE("rules stand under the verdict of their tensor, within 120 columns") {
  const std::string text = full_text(run_with_rules(), Style{});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(line.size() <= 120);
  }
  const auto at = [&](const std::string& words) {
    INFO(words << " in\n" << text);
    REQUIRE(text.find(words) != std::string::npos);
    return text.find(words);
  };
  CHECK(at("o (BF16), own verdict: violates") < at("flash-attention-3"));
  CHECK(at("ggml") < at("lse (BF16), own verdict: measured"));
  CHECK(at("1.5e-05    2.5e-05  accepts") < at("nan    5.0e-04  rejects"));
  CHECK(at("-          -  not applicable  made for") != std::string::npos);
  CHECK(rules_table({}, Style{}).empty());
}

TEST_CASE("rules in JSON, and never in the exit code") {
  verdict::RunResult run = run_with_rules();
  const nlohmann::json json = nlohmann::json::parse(to_json(run));
  const nlohmann::json& rules = json.at("cases").at(0).at("rules");
  REQUIRE(rules.size() == 3);
  CHECK(rules[0] == nlohmann::json{{"tensor", "o"},
                                   {"rule", "flash-attention-3"},
                                   {"outcome", "accepts"},
                                   {"figure", 1.5e-5},
                                   {"threshold", 2.5e-5},
                                   {"detail", "absolute difference, 123456789 of 123456789 fail"}});
  CHECK(rules[1].at("figure").is_null());
  CHECK(rules[1].at("threshold") == 5e-4);
  CHECK(rules[2].at("threshold").is_null());
  run.cases[0].errors.clear();
  CHECK(exit_code(run) == 3);
  CHECK_FALSE(
      nlohmann::json::parse(to_json(verdict::RunResult{"compare", {verdict::CaseResult{}}, 0})).at("cases").at(0).contains("rules"));
}

}  // namespace
}  // namespace equinorm::report
