// Inputs that make scores large: restarts, and from each a walk of many candidates at a time.
#pragma once

#include <functional>
#include <vector>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::search {

/// One score per target, the same number of them for all inputs, a function of the inputs alone; -inf where inputs cannot be scored. Called
/// from several threads at once.
using Objective = std::function<std::vector<double>(const tensor::TensorMap&)>;

/// The n-th place to start from: any function of n alone.
using Restart = std::function<tensor::TensorMap(std::int64_t)>;

/// When to stop; one of the two is positive. By evaluations the outcome is the same to the bit at any number of threads, by seconds it
/// depends on the machine.
struct Budget {
  std::int64_t evaluations = 0;
  double seconds = 0;
};

struct Found {
  double score = 0;
  tensor::TensorMap inputs;
  std::int64_t evaluation = 0;  ///< 0: the start
};

struct Outcome {
  std::vector<double> start;  ///< scores of the start
  std::vector<Found> best;    ///< per target
  std::int64_t evaluations = 0, unscored = 0, restarts = 0;
  double seconds = 0;
};

/// Scores `start`, then alternates between fresh restarts and returns to the best inputs of a target, each a (1 + 16) walk after one
/// target: sixteen candidates, each a few Moves away, of which the best is taken if it is no worse, or now and then (annealing) if it is a
/// little worse; a walk ends after forty generations without a new best. Targets take turns. `progress` hears the share of the budget that
/// is spent.
Outcome maximise(const problem::Problem& problem, scalar::Format format, const tensor::TensorMap& start, const Restart& restart,
                 const Objective& objective, const Budget& budget, std::uint64_t seed, const std::function<void(double)>& progress);

}  // namespace equinorm::search
