// Findings of units -> the cases of a report.
#include <algorithm>
#include <cmath>

#include "commands/report_findings.hpp"
#include "problem/tensors.hpp"
#include "tensor/tensor.hpp"
#include "verdict/join.hpp"

namespace equinorm::commands {
namespace {

using report::CaseReport;
using report::Histogram;
using verdict::CaseResult;
using verdict::DifferenceRow;
using verdict::ErrorRow;

template <class T>
void append(std::vector<T>& to, std::vector<T>&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Adds `part` to a list of descriptions that "; " separates, once.
void mention(std::string& all, const std::string& part) {
  if (part.empty() || ("; " + all + "; ").find("; " + part + "; ") != std::string::npos) return;
  all += (all.empty() ? "" : "; ") + part;
}

bool same(const ErrorRow& a, const ErrorRow& b) { return a.arithmetic == b.arithmetic && a.path == b.path && a.tensor == b.tensor; }
bool same(const DifferenceRow& a, const DifferenceRow& b) { return a.arithmetic == b.arithmetic && a.tensor == b.tensor; }
bool same(const Histogram& a, const Histogram& b) { return a.arithmetic == b.arithmetic && a.path == b.path && a.tensor == b.tensor; }

void join(Histogram& whole, const Histogram& part) {
  whole.elements += part.elements, whole.exact += part.exact, whole.nonfinite += part.nonfinite;
  for (const auto& [power, count] : part.counts) whole.counts[power] += count;
}

/// Adds each row to the one of the same name, by add(whole, part), or to the end.
template <class Row, class Add>
void join_rows(std::vector<Row>& whole, std::vector<Row>&& parts, const Add& add) {
  for (Row& part : parts) {
    const auto found = std::find_if(whole.begin(), whole.end(), [&](const Row& row) { return same(row, part); });
    found == whole.end() ? whole.push_back(std::move(part)) : add(*found, part);
  }
}

/// Puts the findings of one case together.
class Gathering {
 public:
  void add(CaseFindings&& part) {
    CaseResult &whole = case_.result, &more = part.found.result;
    cut_ = cut_ || part.cut;
    for (const auto& [name, value] : part.max_exact) max_exact_[name] = std::fmax(max_exact_[name], value);
    join_rows(whole.errors, std::move(more.errors),
              [&](ErrorRow& row, const ErrorRow& next) { verdict::join(row, next, max_exact_[row.tensor]); });
    join_rows(whole.differences, std::move(more.differences),
              [&](DifferenceRow& row, const DifferenceRow& next) { verdict::join(row, next, max_exact_[row.tensor]); });
    join_rows(case_.histograms, std::move(part.found.histograms), [](Histogram& row, const Histogram& next) { join(row, next); });
    append(whole.checks, std::move(more.checks)), append(whole.sensitivity, std::move(more.sensitivity));
    append(whole.rules, std::move(more.rules)), append(whole.notes, std::move(more.notes));
    append(storage_, std::move(part.storage)), append(rules_, std::move(part.rules));
    if (part.amplification) {
      amplification_.content += part.amplification->content, amplification_.whole += part.amplification->whole;
      amplification_.output += part.amplification->output, amplification_.scale = part.amplification->scale;
    }
    mention(whole.reference, more.reference);
    whole.problem = std::move(more.problem), whole.reproduce = std::move(more.reproduce);
    whole.seconds += more.seconds;
  }

  CaseReport take() {
    CaseResult& whole = case_.result;
    if (cut_) count_padding();
    case_.storage_notes = amplification_notes(whole.problem);
    case_.storage = storage_rows(whole.problem, storage_, amplification_);
    if (!rules_.empty()) whole.rules = judged_rules(whole.problem, rules_);
    const std::string judged = rules_arithmetic(whole.problem);
    const auto ours = std::find_if(whole.errors.begin(), whole.errors.end(), [&](const ErrorRow& row) {
      return row.arithmetic == judged && row.path == "absorbed" && row.tensor == "o";
    });
    for (verdict::RuleRow& row : whole.rules) row.verdict = ours->verdict;
    return std::move(case_);
  }

 private:
  /// Tokens past a ragged row's end are elements of the whole, without error, and of no block.
  void count_padding() {
    std::map<std::string, verdict::Index> elements;
    for (const problem::TensorSpec& spec : problem::output_tensors(case_.result.problem))
      elements[spec.name] = tensor::element_count(spec.shape);
    for (ErrorRow& row : case_.result.errors) row.error.elements = elements.at(row.tensor);
  }

  CaseReport case_;
  bool cut_ = false;
  std::map<std::string, double> max_exact_;  ///< by output, over the blocks so far
  std::vector<StorageFigures> storage_;
  std::vector<RuleSample> rules_;
  Amplification amplification_;
};

}  // namespace

std::vector<CaseReport> gather_findings(std::vector<CaseFindings>&& all) {
  std::vector<Gathering> open;
  for (CaseFindings& part : all) {
    if (part.case_index >= open.size()) open.resize(part.case_index + 1);
    open[part.case_index].add(std::move(part));
  }
  std::vector<CaseReport> cases;
  for (Gathering& one : open) cases.push_back(one.take());
  return cases;
}

}  // namespace equinorm::commands
