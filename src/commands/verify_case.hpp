// One case of `verify` in parts that can be computed apart.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/options.hpp"
#include "commands/sensitivity.hpp"
#include "commands/storage_views.hpp"
#include "exact/equality.hpp"
#include "inputs/block.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// A part: "prime field", of a large case point by point and block by block, "rationals", "precision ladder", then "bounds" of a mutant
/// or the arithmetics by name, block by block; or "wrong forms" alone, some of them at a time.
struct CasePart {
  std::string what;
  std::size_t block = 0;  ///< problem/block.hpp
  int point = 0;          ///< of the prime field, from 1; 0: all of them
  double cost = 0;        ///< in multiply-adds, roughly
  double bytes = 0;
  std::size_t first = 0, count = 0;  ///< of the wrong forms that apply to the case
};

/// What the parts of a case have found, put together part by part in their order.
struct PartResult {
  std::size_t case_index = 0;
  std::string what;
  std::size_t block = 0;                    ///< rows of further blocks join those of block 0
  std::map<std::string, double> max_exact;  ///< by output, where the case is cut: max |exact| over the finite exact values of the block
  std::optional<exact::FieldPiece> piece;   ///< a part of the prime field check
  std::optional<JudgedMutant> mutant;       ///< the bounds of a mutant
  verdict::CaseResult result;
};
inline auto members(PartResult& x) { return std::tie(x.case_index, x.what, x.block, x.max_exact, x.piece, x.mutant, x.result); }

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
  std::size_t blocks() const { return blocks_.size(); }
  /// "bf16/fp32, row 0, heads 16 to 31": a part in words.
  std::string name_of(std::size_t part) const;

  /// Computes a part. Inputs and references stay for the next one until forget().
  PartResult run(std::size_t part, const std::function<void(const std::string&)>& label);
  void forget() { data_.reset(); }

 private:
  struct Data;

  void plan_parts();
  void plan_prime_field();
  Data& data();
  void measure(const CasePart& part, PartResult& found);
  std::vector<verdict::MutantRow> wrong_forms(const CasePart& part, const std::function<void(const std::string&)>& label);

  std::string case_text_;
  const VerifyOptions& verify_;
  Options options_;
  problem::Problem problem_;
  std::vector<problem::Block> blocks_;
  std::vector<CasePart> parts_;
  std::shared_ptr<Data> data_;
};

}  // namespace equinorm::commands
