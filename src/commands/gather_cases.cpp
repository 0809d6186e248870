// Results of parts -> results of cases.
#include "commands/codec.hpp"
#include "commands/verify_case.hpp"

namespace equinorm::commands {
namespace {

using verdict::CaseResult;

template <class T>
void append(std::vector<T>& to, std::vector<T>&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void add_part(CaseResult& whole, CaseResult&& part) {
  append(whole.checks, std::move(part.checks));
  append(whole.errors, std::move(part.errors));
  append(whole.differences, std::move(part.differences));
  append(whole.sensitivity, std::move(part.sensitivity));
  append(whole.rules, std::move(part.rules));
  append(whole.notes, std::move(part.notes));
  if (whole.reference.empty()) whole.reference = std::move(part.reference);
  whole.seconds += part.seconds;
}

}  // namespace

std::vector<CaseResult> gather_cases(const std::vector<std::string>& results) {
  std::vector<CaseResult> cases;
  for (const std::string& line : results) {
    auto part = work::from_line<PartResult>(line);
    if (part.case_index == cases.size())
      cases.push_back(std::move(part.result));
    else
      add_part(cases.at(part.case_index), std::move(part.result));
  }
  return cases;
}

}  // namespace equinorm::commands
