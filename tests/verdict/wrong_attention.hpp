// The experiment behind the public rules: one honest attention kernel and thirteen wrong outputs, to see which rule lets which pass.
#pragma once

#include <string>
#include <vector>

#include "verdict/rules.hpp"

namespace equinorm::verdict {

/// QK-normed attention of 16 queries over N keys, d_qk 192, d_v 128, bf16: q and k are N(0,1) rows divided by their RMS (eps 1e-6), q then
/// times `spread` (the standard deviation of the logits), rounded to bf16; v is N(0,1) in bf16.
struct Experiment {
  Index keys;
  double spread;
  unsigned seed;
};

struct NamedOutput {
  std::string name;
  Tensor<double> values;  ///< [16,128], bf16 numbers
};

/// What the rules are given, and what they judge.
struct ExperimentOutputs {
  Tensor<double> reference;  ///< in binary64
  Tensor<double> naive;      ///< every tensor stored in bf16: k/sqrt(192), scores, probabilities, output
  Tensor<double> magnitude;  ///< sum p |v|
  double max_query = 0, max_key = 0, max_value = 0;
  NamedOutput honest;              ///< tiles of 64 keys, fp32 accumulators, p and output rounded to bf16
  std::vector<NamedOutput> wrong;  ///< the thirteen
};
ExperimentOutputs run_experiment(const Experiment& experiment);

/// For one rule over several experiments of the same size: how often it rejects the honest kernel, and which wrong outputs it rejects.
struct Tally {
  std::string rule;
  int runs = 0;
  int honest_rejected = 0;
  std::vector<int> wrong_rejected;  ///< runs in which each wrong output was rejected
  int killed_always() const;
  int killed_once() const;
};
std::vector<Tally> tally_rules(Index keys, const std::vector<double>& spreads, unsigned seeds, std::vector<std::string>* names = nullptr);

}  // namespace equinorm::verdict
