#include "verdict/results.hpp"

namespace equinorm::verdict {

std::vector<Verdict> verdicts(const CaseResult& result) {
  std::vector<Verdict> all;
  for (const ExactCheck& check : result.checks) {
    if (check.verdict != Verdict::measured) all.push_back(check.verdict);
  }
  for (const ErrorRow& row : result.errors) {
    if (row.verdict != Verdict::measured) all.push_back(row.verdict);
  }
  return all;
}

int exit_code(const RunResult& run) {
  std::vector<Verdict> all;
  for (const CaseResult& result : run.cases) {
    for (const Verdict verdict : verdicts(result)) all.push_back(verdict);
  }
  return exit_code(all);
}

}  // namespace equinorm::verdict
