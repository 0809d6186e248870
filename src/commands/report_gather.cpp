// Findings of units -> the cases of a report.
#include <fmt/format.h>

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
    join_differences(more);
    join_rows(whole.errors, std::move(more.errors), [&](ErrorRow& row, ErrorRow& next) {
      if (row.error.elements == 0) std::swap(row, next);
      if (next.error.elements > 0) verdict::join(row, next, max_exact_[row.tensor]);
    });
    join_rows(case_.histograms, std::move(part.found.histograms), [](Histogram& row, Histogram& next) { join(row, next); });
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
    if (cut_) complete_rows();
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
  /// A row of a batch may have no token, and its blocks no element of some tensors; nothing is said of these.
  void join_differences(CaseResult& more) {
    const auto empty = [](const CaseResult& in, const DifferenceRow& row) {
      return std::none_of(in.errors.begin(), in.errors.end(), [&](const ErrorRow& x) {
        return x.arithmetic == row.arithmetic && x.tensor == row.tensor && x.error.elements > 0;
      });
    };
    CaseResult& whole = case_.result;
    for (const DifferenceRow& row : more.differences) {
      if (row.tensor != "logits" || !row.bound) continue;
      double& most = logits_bound_[row.arithmetic];
      most = std::fmax(most, *row.bound);
    }
    join_rows(whole.differences, std::vector(more.differences), [&](DifferenceRow& row, DifferenceRow& next) {
      const bool fresh = empty(whole, row);
      if (fresh) row = next;
      if (!fresh && !empty(more, next)) verdict::join(row, next, max_exact_[row.tensor]);
    });
  }

  /// What blocks cannot say of the whole alone.
  void complete_rows() {
    CaseResult& whole = case_.result;
    std::map<std::string, verdict::Index> elements;
    for (const problem::TensorSpec& spec : problem::output_tensors(whole.problem)) elements[spec.name] = tensor::element_count(spec.shape);
    for (ErrorRow& row : whole.errors) {
      // Tokens past a ragged row's end are elements of the whole, without error, and of no block.
      row.error.elements = elements.at(row.tensor);
      if (const std::size_t tail = row.detail.find(kCounted); row.verdict == verdict::Verdict::measured && tail != std::string::npos) {
        const std::string reason = row.detail.substr(tail, row.detail.find("; ") - tail);
        row.detail = fmt::format("{} of {}{}", row.unbounded, row.error.elements, reason);
      }
    }
    // Both forms approximate the same exact value; of logits also what their errors do not share.
    for (DifferenceRow& row : whole.differences) {
      double sum = 0;
      for (const ErrorRow& x : whole.errors) {
        if (x.arithmetic == row.arithmetic && x.tensor == row.tensor) sum += x.bound.value_or(HUGE_VAL);
      }
      const auto unshared = logits_bound_.find(row.arithmetic);
      if (row.tensor == "logits" && unshared != logits_bound_.end()) sum = std::min(sum, unshared->second);
      row.bound = sum < HUGE_VAL ? std::optional(sum) : std::nullopt;
    }
  }

  static constexpr const char* kCounted = " elements have no finite bound";

  CaseReport case_;
  bool cut_ = false;
  std::map<std::string, double> max_exact_;     ///< by output, over the blocks so far
  std::map<std::string, double> logits_bound_;  ///< by arithmetic: of the difference, the largest of the blocks'
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
