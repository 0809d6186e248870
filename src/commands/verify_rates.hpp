// What parts of cases cost on this machine, measured when asked.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "commands/verify_case.hpp"

namespace equinorm::commands {

/// Seconds per unit of CasePart::cost, by kind of part, attention and start, from a small case of that kind run once.
class VerifyRates {
 public:
  /// Expected seconds of a part of a case. The first part of a kind takes a fraction of a second.
  double seconds(const problem::Problem& problem, const CasePart& part) {
    return rate(problem.attention, problem.start, part.what) * part.cost;
  }

  /// Of everything that is no part of a case: the rate of bf16/fp32.
  double general_rate() { return rate(problem::Attention::mla, problem::Start::latent, "bf16/fp32"); }

 private:
  double rate(problem::Attention attention, problem::Start start, const std::string& what);

  std::map<std::tuple<problem::Attention, problem::Start, std::string>, double> rates_;
};

}  // namespace equinorm::commands
