// What parts of cases cost on this machine, measured when asked.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "commands/verify_case.hpp"

namespace equinorm::commands {

/// Seconds per unit of CasePart::cost, by kind of part and attention, from a small case of that attention run once.
class VerifyRates {
 public:
  /// Expected seconds of a part of a case. The first part of a kind takes a fraction of a second.
  double seconds(const problem::Problem& problem, const CasePart& part) { return rate(problem.attention, part.what) * part.cost; }

  /// Of everything that is no part of a case: the rate of bf16/fp32.
  double general_rate() { return rate(problem::Attention::mla, "bf16/fp32"); }

 private:
  double rate(problem::Attention attention, const std::string& what);

  std::map<std::pair<problem::Attention, std::string>, double> rates_;
};

}  // namespace equinorm::commands
