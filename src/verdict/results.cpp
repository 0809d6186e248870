#include "verdict/results.hpp"

#include <algorithm>
#include <iterator>

namespace equinorm::verdict {

std::vector<Verdict> verdicts(const CaseResult& result) {
  std::vector<Verdict> all;
  for (const ExactCheck& check : result.checks) {
    if (check.verdict != Verdict::measured) all.push_back(check.verdict);
  }
  for (const ErrorRow& row : result.errors) {
    if (row.verdict != Verdict::measured) all.push_back(row.verdict);
  }
  for (const ConductRow& row : result.conduct) all.push_back(row.verdict);
  return all;
}

std::set<std::string> uncaught(const RunResult& run) {
  std::set<std::string> asked, caught;
  for (const CaseResult& result : run.cases) {
    for (const MutantRow& row : result.sensitivity) {
      asked.insert(row.mutant);
      if (fails(row.verdict)) caught.insert(row.mutant);
    }
  }
  std::set<std::string> left;
  std::set_difference(asked.begin(), asked.end(), caught.begin(), caught.end(), std::inserter(left, left.end()));
  return left;
}

int exit_code(const RunResult& run) {
  std::vector<Verdict> all;
  bool asked = false;
  for (const CaseResult& result : run.cases) asked = asked || !result.sensitivity.empty();
  if (asked) all.push_back(uncaught(run).empty() ? Verdict::within : Verdict::different);
  for (const CaseResult& result : run.cases) {
    for (const Verdict verdict : verdicts(result)) all.push_back(verdict);
  }
  return exit_code(all);
}

}  // namespace equinorm::verdict
