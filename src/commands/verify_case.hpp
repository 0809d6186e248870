// One case of `verify` in parts that can be computed apart.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/options.hpp"
#include "commands/storage_views.hpp"
#include "inputs/sample.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// A part: "prime field", "rationals", "precision ladder", then "bounds" of a mutant or the arithmetics by name; or "wrong forms" alone.
struct CasePart {
  std::string what;
  std::size_t group = 0;  ///< parts of one group share inputs and references
  double cost = 0;        ///< in multiply-adds, roughly
  double bytes = 0;
};

/// What the parts of a case have found, put together part by part in their order.
struct PartResult {
  std::size_t case_index = 0, part = 0;
  verdict::CaseResult result;
};
inline auto members(PartResult& x) { return std::tie(x.case_index, x.part, x.result); }

/// The cases of a run from the results of its units, in their order.
std::vector<verdict::CaseResult> gather_cases(const std::vector<std::string>& results);

/// The words of the command line that say what is done with a case.
std::vector<std::string> words_of(const VerifyOptions& verify);

/// A case with everything that its parts depend on. The parts' results do not depend on which of them are run, or in which order.
class VerifyCase {
 public:
  /// `options` hold the overrides of this case alone. Throws Error for what is wrong with the words of the command.
  VerifyCase(std::string case_text, const VerifyOptions& verify, Options options);

  const problem::Problem& problem() const { return problem_; }
  const std::vector<CasePart>& parts() const { return parts_; }

  /// Computes a part. Inputs and references stay for the next one until forget().
  verdict::CaseResult run(std::size_t part, const std::function<void(const std::string&)>& label);
  void forget() { data_.reset(); }

 private:
  struct Data;

  void plan_parts();
  Data& data();
  void measure(const std::string& arithmetic, verdict::CaseResult& result);

  std::string case_text_;
  const VerifyOptions& verify_;
  Options options_;
  problem::Problem problem_;
  std::vector<CasePart> parts_;
  std::shared_ptr<Data> data_;
};

}  // namespace equinorm::commands
