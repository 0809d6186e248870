#include "report/junit.hpp"

#include <fmt/format.h>

#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

using verdict::Verdict;

struct Tally {
  int tests = 0, failures = 0, skipped = 0;
};

std::string test_case(const std::string& suite, const std::string& name, Verdict verdict, double seconds, const std::string& message,
                      Tally& tally) {
  ++tally.tests;
  std::string text =
      fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", markup_escaped(suite), markup_escaped(name), seconds);
  if (holds(verdict)) return text + "/>\n";
  const char* element = fails(verdict) ? "failure" : "skipped";
  ++(fails(verdict) ? tally.failures : tally.skipped);
  return text + fmt::format("><{} message=\"{}\"/></testcase>\n", element, markup_escaped(to_string(verdict) + ": " + message));
}

}  // namespace

std::string to_junit(const verdict::RunResult& run) {
  std::string suites;
  Tally total;
  for (const verdict::CaseResult& result : run.cases) {
    Tally tally;
    std::string tests;
    const std::string& suite = result.problem.name;
    for (const verdict::ExactCheck& check : result.checks) {
      if (check.verdict == Verdict::measured) continue;
      std::string message = check_details(check);
      if (check.difference)
        message +=
            fmt::format("; stage {}, tensor {}{}", check.difference->stage, check.difference->tensor, index_text(check.difference->index));
      tests += test_case(suite, check.method, check.verdict, check.seconds, message + "; reproduce: " + result.reproduce, tally);
    }
    for (const verdict::ErrorRow& row : result.errors) {
      if (row.verdict == Verdict::measured) continue;
      tests += test_case(
          suite, fmt::format("{} {} {}", row.arithmetic, row.path, row.tensor), row.verdict, 0,
          fmt::format("max abs {} at {}; reproduce: {}", number(row.error.max_abs), index_text(row.error.worst), result.reproduce), tally);
    }
    for (const verdict::ConductRow& row : result.conduct)
      tests += test_case(suite, row.what, row.verdict, 0, row.detail + "; reproduce: " + result.reproduce, tally);
    suites += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n{}  </testsuite>\n",
                          markup_escaped(suite), tally.tests, tally.failures, tally.skipped, result.seconds, tests);
    total.tests += tally.tests, total.failures += tally.failures, total.skipped += tally.skipped;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"equinorm {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n{}"
      "</testsuites>\n",
      markup_escaped(run.command), total.tests, total.failures, total.skipped, run.seconds, suites);
}

}  // namespace equinorm::report
