// Results of parts -> results of cases.
#include <cmath>
#include <map>

#include "commands/codec.hpp"
#include "commands/exact_checks.hpp"
#include "commands/verify_case.hpp"
#include "verdict/join.hpp"

namespace equinorm::commands {
namespace {

using verdict::CaseResult;

using verdict::join;

template <class T>
void append(std::vector<T>& to, std::vector<T>&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Adds `part` to a list of descriptions that "; " separates, once.
void mention(std::string& all, const std::string& part) {
  if (part.empty() || ("; " + all + "; ").find("; " + part + "; ") != std::string::npos) return;
  all += (all.empty() ? "" : "; ") + part;
}

/// Puts the parts of one case together.
class Gathering {
 public:
  void add(PartResult&& part) {
    CaseResult& more = part.result;
    if (part.piece) {
      pieces_.push_back(std::move(*part.piece));
      pieces_seconds_ += more.seconds;
    }
    if (part.mutant) join(mutant_, std::move(*part.mutant));
    for (const auto& [name, value] : part.max_exact) max_exact_[name] = std::fmax(max_exact_[name], value);
    if (part.block == 0) {
      begins_[part.what] = {whole_.errors.size(), whole_.differences.size()};
      append(whole_.errors, std::move(more.errors));
      append(whole_.differences, std::move(more.differences));
    } else {
      const auto [errors, differences] = begins_.at(part.what);
      for (std::size_t i = 0; i < more.errors.size(); ++i)
        join(whole_.errors.at(errors + i), more.errors[i], max_exact_[more.errors[i].tensor]);
      for (std::size_t i = 0; i < more.differences.size(); ++i) {
        const verdict::DifferenceRow& row = more.differences[i];
        join(whole_.differences.at(differences + i), row, max_exact_[row.tensor]);
      }
    }
    append(whole_.checks, std::move(more.checks));
    append(whole_.sensitivity, std::move(more.sensitivity));
    append(whole_.notes, std::move(more.notes));
    mention(whole_.reference, more.reference);
    whole_.problem = std::move(more.problem), whole_.mutant = std::move(more.mutant), whole_.reproduce = std::move(more.reproduce);
    whole_.seconds += more.seconds;
  }
  CaseResult take() {
    if (!pieces_.empty())
      whole_.checks.insert(whole_.checks.begin(),
                           joined_prime_field_check(whole_.problem, whole_.mutant, std::move(pieces_), pieces_seconds_));
    append(whole_.errors, settled(std::move(mutant_)));
    return std::move(whole_);
  }

 private:
  CaseResult whole_;
  std::vector<exact::FieldPiece> pieces_;  ///< of the prime field check, which is the first one
  double pieces_seconds_ = 0;
  JudgedMutant mutant_;
  std::map<std::string, double> max_exact_;                            ///< by output, over the blocks so far
  std::map<std::string, std::pair<std::size_t, std::size_t>> begins_;  ///< where the rows of an arithmetic begin
};

}  // namespace

std::vector<CaseResult> gather_cases(const std::vector<std::string>& results) {
  std::vector<Gathering> open;
  for (const std::string& line : results) {
    auto part = work::from_line<PartResult>(line);
    if (part.case_index >= open.size()) open.resize(part.case_index + 1);
    open[part.case_index].add(std::move(part));
  }
  std::vector<CaseResult> cases;
  for (Gathering& one : open) cases.push_back(one.take());
  return cases;
}

}  // namespace equinorm::commands
