// The experiment of tests/verdict/wrong_attention.hpp put to our own judge: one honest attention kernel and thirteen wrong ones, whose
// stages can be looked at, over bland and designed inputs.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "verdict/judge.hpp"

namespace equinorm::bounds {

/// The inputs of one run: `family` as in src/inputs, or "bland" for N(0, 1) throughout with gamma_q = spread, the standard deviation of the
/// logits.
struct MutantCase {
  std::string family;
  double spread;
};
const std::vector<MutantCase>& mutant_cases();
std::string name_of(const MutantCase& one);

/// How one kernel fared over several runs of a case: verdicts of q_hat, logits, lse and o, each of the stages that make it (keys and
/// queries are handed to those after them), and of o from the inputs on.
struct MutantRow {
  std::string kernel;
  std::map<std::string, std::set<std::string>> caught;  ///< case -> probes that violate in every run
  std::set<std::string> other;                          ///< verdicts beside within and violates
  int runs = 0, violated = 0;
};

/// QK-normed attention of 16 queries over `keys` keys, d_qk 192, d_v 128, tiles of 64, bf16 stores, fp32 sums. The first row is the honest
/// kernel.
std::vector<MutantRow> run_mutants(std::int64_t keys, unsigned seeds);

}  // namespace equinorm::bounds
