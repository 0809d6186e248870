// One case of a precision report in parts that can be computed apart.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "commands/options.hpp"
#include "commands/report_findings.hpp"
#include "commands/verify_case.hpp"
#include "inputs/block.hpp"

namespace equinorm::commands {

/// What one unit does, step after step. A step's `what` is an exact check of verify, an arithmetic by name, "rules", "amplification",
/// "storage, absorbed form", "storage, explicit form" or "wrong forms".
struct ReportPart {
  std::string what;             ///< of the part, in words
  std::vector<CasePart> steps;  ///< all of one block
  std::size_t family = 0;       ///< parts of one family, in a row, share inputs and references
  double bytes = 0;
};

/// A case with everything that its parts depend on; their findings do not depend on which of them are run, or in which order. A case of at
/// most `cut` multiply-adds has a part for the exact checks and one for all that is measured, which shares a reference; a larger one has a
/// part for each exact check, and for each block (inputs/block.hpp) one for each arithmetic, for the rules, the amplification and each form
/// of the storage what-if. Wrong forms, twenty at a time, and the rules where o has more than 2^20 elements, are of the whole case.
class ReportCase {
 public:
  /// Throws Error for what is wrong with the words of the command.
  ReportCase(std::string case_text, const ReportOptions& asked, const Options& options);

  const problem::Problem& problem() const { return problem_; }
  const std::vector<ReportPart>& parts() const { return parts_; }
  std::size_t blocks() const { return blocks_.size(); }

  /// Computes a part; calls `begin` with the words for each step. Inputs and references stay for the next part until forget().
  CaseFindings run(std::size_t part, const std::function<void(const std::string&)>& begin);
  void forget() { data_.reset(); }

 private:
  struct Data;

  void plan_parts();
  void plan_measured(std::size_t block, bool apart);
  void plan_wrong_forms();
  double bytes_of(const problem::Problem& problem) const;
  Data& data();
  StorageViews& views_of(std::size_t block, std::string& reference);
  void do_step(const CasePart& step, CaseFindings& findings);
  void measure(const CasePart& step, CaseFindings& findings);

  std::string case_text_;
  const ReportOptions& asked_;
  const Options& options_;
  problem::Problem problem_;
  std::set<std::string> names_;     ///< tensors of the stage tables
  std::vector<std::string> notes_;  ///< on those that are left out
  std::vector<inputs::Block> blocks_;
  std::vector<ReportPart> parts_;
  std::shared_ptr<Data> data_;
};

/// What a step's cost is measured by: a step of verify with about the same cost.
CasePart like_verify(const CasePart& step);

}  // namespace equinorm::commands
