// Reports of a run with everything in it: JSON by its schema, well-formed JUnit, text that fits a terminal.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "report/check.hpp"
#include "report/json.hpp"
#include "report/junit.hpp"
#include "report/terminal.hpp"
#include "report/xml.hpp"

namespace equinorm::report {
namespace {

using nlohmann::json;
using verdict::CaseResult;
using verdict::ErrorRow;
using verdict::ExactCheck;
using verdict::RunResult;
using verdict::Verdict;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ExactCheck field_check(Verdict verdict) {
  ExactCheck check;
  check.method = "prime field";
  check.verdict = verdict;
  check.scope = "full size, 2 random points";
  check.elements = 123456789;
  check.false_equal_log2 = -84.25;
  check.seconds = 0.25;
  if (verdict == Verdict::different) {
    check.difference = verdict::FirstDifference{"cache_write", "alpha_k", {3, 131071, 127}, std::string(40, '7'), std::string(40, '8')};
  }
  return check;
}

ExactCheck ladder_check() {
  ExactCheck check;
  check.method = "precision ladder";
  check.verdict = Verdict::undecided;
  check.scope = "head 127, 64 of 131072 tokens";
  check.rungs = {{24, -20.5}, {53, -kInfinity}, {64, kInfinity}, {1024, -1001.25}};
  check.slope = -0.998;
  return check;
}

ErrorRow error_row(Verdict verdict, double max_abs) {
  ErrorRow row;
  row.arithmetic = "bf16/fp32";
  row.path = "explicit";
  row.tensor = "k_rope_cached";
  row.format = scalar::kBf16;
  row.error.elements = 1000;
  row.error.max_abs = max_abs;
  row.error.max_relative = 0.25;
  row.error.max_ulp = 12.5;
  row.error.normwise = 0.125;
  row.error.worst = {3, 127, 0, 131071};
  row.verdict = verdict;
  row.main_stage = "cache_write";
  return row;
}

RunResult full_run() {
  RunResult run;
  run.command = "verify";
  run.seconds = 12.5;
  CaseResult good;
  good.problem.name = "mla-more-queries-than-keys";
  good.checks = {field_check(Verdict::equal), ladder_check()};
  good.errors = {error_row(Verdict::measured, 1e-3), error_row(Verdict::measured, 1e-3)};
  good.errors[1].path = "absorbed";
  verdict::DifferenceRow difference{"bf16/fp32", "k_rope_cached", {}, {}};
  difference.difference.nonfinite = 2;
  difference.difference.max_abs = 1e-3;
  difference.difference.normwise = 0.5;
  good.differences = {difference};
  good.reference = "certified enclosures";
  good.reproduce = "equinorm verify mla-more-queries-than-keys";
  CaseResult bad = good;
  bad.problem.name = "a \"<b>\" & 'c'\nd";
  bad.mutant = "gamma-k-dropped";
  bad.notes = {"weights: random"};
  bad.checks = {field_check(Verdict::different), field_check(Verdict::undecided)};
  ErrorRow nonfinite = error_row(Verdict::nonfinite, kInfinity);
  nonfinite.error.nonfinite = 12;
  nonfinite.error.max_relative = std::nan("");
  nonfinite.bound = kInfinity;
  bad.errors.push_back(nonfinite);
  run.cases = {good, bad};
  return run;
}

TEST_CASE("JSON has the fields of the schema") {
  const RunResult run = full_run();
  const json root = json::parse(to_json(run));
  CHECK(root.at("schema") == "equinorm-run");
  CHECK(root.at("schema_version") == kSchemaVersion);
  CHECK(root.at("command") == "verify");
  CHECK(root.at("exit_code") == 1);
  CHECK(root.at("seconds") == 12.5);
  REQUIRE(root.at("cases").size() == 2);
  const json& good = root.at("cases")[0];
  const json& bad = root.at("cases")[1];
  CHECK(good.at("mutant").is_null());
  CHECK(bad.at("mutant") == "gamma-k-dropped");
  CHECK(good.at("reproduce") == "equinorm verify mla-more-queries-than-keys");
  CHECK(good.at("reference") == "certified enclosures");
  CHECK(bad.at("notes") == json::array({"weights: random"}));
  CHECK(bad.at("problem").at("name") == run.cases[1].problem.name);
  for (const char* key :
       {"name", "attention", "norm", "batch", "queries", "context", "heads", "groups", "key_dim", "value_dim", "inputs"}) {
    CHECK(good.at("problem").contains(key));
  }

  const json& field = good.at("exact_checks")[0];
  CHECK(field.at("method") == "prime field");
  CHECK(field.at("verdict") == "equal");
  CHECK(field.at("elements") == 123456789);
  CHECK(field.at("false_equal_log2") == -84.25);
  CHECK_FALSE(field.contains("first_difference"));
  const json& difference = bad.at("exact_checks")[0].at("first_difference");
  CHECK(difference.at("stage") == "cache_write");
  CHECK(difference.at("tensor") == "alpha_k");
  CHECK(difference.at("index") == json::array({3, 131071, 127}));
  CHECK(difference.at("explicit") == std::string(40, '7'));
  CHECK(difference.at("absorbed") == std::string(40, '8'));

  const json& row = good.at("errors")[0];
  CHECK(row.at("arithmetic") == "bf16/fp32");
  CHECK(row.at("path") == "explicit");
  CHECK(row.at("tensor") == "k_rope_cached");
  CHECK(row.at("format") == "bf16");
  CHECK(row.at("elements") == 1000);
  CHECK(row.at("nonfinite") == 0);
  CHECK(row.at("max_abs") == 1e-3);
  CHECK(row.at("max_relative") == 0.25);
  CHECK(row.at("max_ulp") == 12.5);
  CHECK(row.at("normwise") == 0.125);
  CHECK(row.at("worst_index") == json::array({3, 127, 0, 131071}));
  CHECK(row.at("bound").is_null());
  CHECK(row.at("verdict") == "measured");
  CHECK(row.at("main_stage") == "cache_write");
  const json& between = good.at("differences")[0];
  CHECK(between.at("nonfinite") == 2);
  CHECK(between.at("max_abs") == 1e-3);
  CHECK(between.at("normwise") == 0.5);
  CHECK(between.at("bound").is_null());
}

TEST_CASE("JSON writes null for what is no number, and tells no difference from one that is not finite") {
  const json root = json::parse(to_json(full_run()));
  const json& row = root.at("cases")[1].at("errors")[2];
  CHECK(row.at("max_abs").is_null());
  CHECK(row.at("max_relative").is_null());
  CHECK(row.at("bound").is_null());
  CHECK(row.at("nonfinite") == 12);
  CHECK(row.at("verdict") == "nonfinite");
  const json& rungs = root.at("cases")[0].at("exact_checks")[1].at("rungs");
  CHECK(rungs[0].at("log2_difference") == -20.5);
  CHECK(rungs[1].at("log2_difference").is_null());
  CHECK_FALSE(rungs[1].contains("nonfinite"));
  CHECK(rungs[2].at("log2_difference").is_null());
  CHECK(rungs[2].at("nonfinite") == true);
}

TEST_CASE("a check that was not run says so in JSON") {
  RunResult run;
  run.cases.resize(1);
  run.cases[0].checks = {field_check(Verdict::measured)};
  const json root = json::parse(to_json(run));
  CHECK(root.at("cases")[0].at("exact_checks")[0].at("verdict") == "not run");
  CHECK(root.at("exit_code") == 3);
}

TEST_CASE("JUnit is well formed, escaped, and counts what it holds") {
  const RunResult run = full_run();
  const auto elements = parse_xml(to_junit(run));
  REQUIRE(elements.at(0).at("") == "testsuites");
  // good: field equal, ladder undecided. bad: field different, field undecided, one nonfinite row. Measured rows are left out.
  CHECK(elements[0].at("tests") == "5");
  CHECK(elements[0].at("failures") == "2");
  CHECK(elements[0].at("skipped") == "2");
  std::map<std::string, int> count;
  std::vector<std::string> messages;
  for (const auto& element : elements) {
    ++count[element.at("")];
    if (element.at("") == "failure") messages.push_back(element.at("message"));
  }
  CHECK(count["testsuite"] == 2);
  CHECK(count["testcase"] == 5);
  CHECK(count["failure"] == 2);
  CHECK(count["skipped"] == 2);
  CHECK(elements.at(5).at("name") == run.cases[1].problem.name);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].rfind("different: ", 0) == 0);
  CHECK(messages[0].find("alpha_k[3,131071,127]") != std::string::npos);
  CHECK(messages[0].find(run.cases[1].reproduce) != std::string::npos);
  CHECK(messages[1].rfind("nonfinite: ", 0) == 0);
}

/// Visible columns of the widest line; lines that hold a command to copy may be as long as the command.
std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("reproduce:") == std::string::npos) widest = std::max(widest, line.size());
  }
  return widest;
}

TEST_CASE("text stays within 120 columns, plain when it is not coloured") {
  RunResult run = full_run();
  run.cases[1].problem.name = "b";
  run.cases[1].problem.start = problem::Start::x;
  run.cases[1].problem.model_dim = 7168;
  run.cases[1].problem.context = {131072, 131071, 131070, 131069, 131068, 131067, 131066, 131065};
  run.cases[1].problem.norm.weight = problem::NormWeight::zero_centred;
  run.cases[1].problem.mask = {problem::MaskKind::window, 4096};
  for (const bool verbose : {false, true}) {
    for (const std::string& text : {summary_text(run, {false, verbose}), full_text(run, {false, verbose})}) {
      INFO(text);
      CHECK(widest_line(text) <= 120);
      CHECK(text.find('\033') == std::string::npos);
    }
  }
  CHECK(summary_text(run, {true, false}).find("\033[31m") != std::string::npos);
}

TEST_CASE("the usual verdict tables fit 100 columns") {
  RunResult run;
  run.cases.resize(1);
  run.cases[0].problem.name = "deepseek-v3-tp8";
  for (const char* tensor : {"logits", "o"}) {
    ErrorRow row = error_row(Verdict::within, 1.25e-7);
    row.path = "absorbed", row.tensor = tensor, row.bound = 1e-12, row.ratio = 1.25e-7, row.main_stage = "output";
    row.error.worst = {0, 7, 0, 999}, row.error.max_ulp = 4.39e9;
    run.cases[0].errors.push_back(row);
  }
  const std::string text = full_text(run, {});
  INFO(text);
  CHECK(widest_line(text) <= 100);
}

TEST_CASE("a table of many cases tells them apart, in 100 columns") {
  RunResult run;
  run.command = "check";
  const auto add = [&](const auto& change) {
    CaseResult& result = run.cases.emplace_back();
    result.kernel = "kernel";
    result.problem.name = "paper-tp8";
    for (const char* setting : {"alone", "in path"}) {
      for (const char* tensor : {"u", "lse"}) {
        ErrorRow row = error_row(Verdict::within, 1e-3);
        row.path = setting, row.tensor = tensor, row.ratio = tensor[0] == 'u' ? 0.25 : 0.125;
        result.errors.push_back(row);
      }
    }
    change(result.problem);
  };
  using problem::Problem;
  add([](Problem&) {});
  add([](Problem& p) { p.batch = 2; });
  const std::string whole = check_text(run, {});
  INFO(whole);
  CHECK(widest_line(whole) <= 100);
  CHECK(whole.find("u 0.25, lse 0.12; in path u 0.25, lse 0.12") != std::string::npos);
  add([](Problem& p) { p.softcap = scalar::Decimal("5"), p.sink = true; });
  add([](Problem& p) { p.scale = scalar::Decimal("0.0416666666666666666"); });
  add([](Problem& p) { p.norm.scheme = problem::NormScheme::full_width; });
  add([](Problem& p) { p.norm.kind = problem::NormKind::l2; });
  add([](Problem& p) { p.norm.weight = problem::NormWeight::zero_centred; });
  add([](Problem& p) { p.norm.eps = scalar::Decimal("0"); });
  add([](Problem& p) { p.mask.kind = problem::MaskKind::none; });
  add([](Problem& p) { p.rope.layout = problem::RopeLayout::half; });
  add([](Problem& p) { p.precision.splits = 8, p.inputs.kind = "planted-key"; });
  const std::string wide = check_text(run, {});
  INFO(wide);
  CHECK(widest_line(wide) <= 100);
  CHECK(wide.find("u 0.25; in path u 0.25") != std::string::npos);
  std::istringstream lines(wide);
  std::set<std::string> distinct;
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("paper-tp8")) ++rows, distinct.insert(line);
  }
  CHECK(rows == 11);
  CHECK(distinct.size() == 11);
  add([](Problem& p) { p.mask = {problem::MaskKind::window, 64}, p.queries = 5, p.inputs.kind = "planted-key"; });
  run.cases.back().problem.context = {262144};
  run.cases.back().errors[0].ratio = 0.0625;
  run.cases.back().errors[3].ratio.reset();
  const std::string narrow = check_text(run, {});
  INFO(narrow);
  CHECK(widest_line(narrow) <= 100);
  CHECK(narrow.find("lse 0.12; in path lse no bound") != std::string::npos);
}

TEST_CASE("text hides no failure, no exact value and no way to reproduce it") {
  const RunResult run = full_run();
  for (const std::string& text : {summary_text(run, {}), full_text(run, {})}) {
    INFO(text);
    CHECK(text.find(std::string(40, '7')) != std::string::npos);
    CHECK(text.find(std::string(40, '8')) != std::string::npos);
    CHECK(text.find("alpha_k[3,131071,127]") != std::string::npos);
    CHECK(text.find("nonfinite") != std::string::npos);
    CHECK(text.find("reproduce: " + run.cases[1].reproduce) != std::string::npos);
    CHECK(text.find("exit code 1") != std::string::npos);
    CHECK(text.find("1 hold, 2 fail, 2 undecided") != std::string::npos);
  }
}

TEST_CASE("of many known faults that fit the text shows the closest and says how many there are") {
  verdict::CaseResult result;
  for (int i = 1; i <= 8; ++i) result.faults.push_back({"fault-" + std::to_string(i), "does", "o", 0.1 * i});
  const std::string text = report::faults_text(result);
  REQUIRE(text.find("fault-5") != std::string::npos);
  REQUIRE(text.find("fault-6") == std::string::npos);
  REQUIRE(text.find("3 more") != std::string::npos);
  result.faults.resize(5);
  REQUIRE(report::faults_text(result).find("more") == std::string::npos);
}

TEST_CASE("a ladder's difference that is not finite is never shown as none") {
  RunResult run;
  run.cases.resize(1);
  ExactCheck check = ladder_check();
  check.verdict = Verdict::different;
  check.rungs = {{24, kInfinity}, {1024, kInfinity}};
  run.cases[0].checks = {check};
  CHECK(full_text(run, {}).find("not finite at 1024") != std::string::npos);
  CHECK(full_text(run, {false, true}).find("none") == std::string::npos);
  run.cases[0].checks[0].rungs = {{24, -kInfinity}, {1024, -kInfinity}};
  CHECK(full_text(run, {}).find("difference 0 at 24 bits, 0 at 1024") != std::string::npos);
}

}  // namespace
}  // namespace equinorm::report
