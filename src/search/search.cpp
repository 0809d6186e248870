#include "search/search.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "search/moves.hpp"

namespace equinorm::search {
namespace {

using tensor::TensorMap;

constexpr std::int64_t kCandidates = 16;
constexpr std::int64_t kPatience = 40;
/// A candidate worse by a factor e^-x is taken with probability e^(-x / heat); the heat falls to 0 as patience runs out.
constexpr double kHeat = 0.02;
constexpr double kUnscored = -std::numeric_limits<double>::infinity();

struct Candidate {
  TensorMap inputs;
  std::vector<double> scores;
};

class Search {
 public:
  Search(const problem::Problem& problem, scalar::Format format, const Restart& restart, const Objective& objective, const Budget& budget,
         std::uint64_t seed, const std::function<void(double)>& progress)
      : moves_(problem, format), restart_(restart), objective_(objective), budget_(budget), draws_(seed, "hunt"), progress_(progress) {}

  Outcome run(const TensorMap& start) {
    Candidate first{start, objective_(start)};
    outcome_.start = first.scores;
    for (const double score : first.scores) outcome_.best.push_back({score, start, 0});
    outcome_.evaluations = 1;
    walk(std::move(first), 0);
    while (!spent()) {
      const std::int64_t n = ++outcome_.restarts;
      const auto targets = static_cast<std::int64_t>(outcome_.best.size());
      const auto target = static_cast<std::size_t>(n % targets);
      // Every target in turn from fresh inputs, then in turn from its best.
      if (n / targets % 2 == 0) {
        Candidate fresh{restart_(n), {}};
        score({&fresh});
        walk(std::move(fresh), target);
      } else {
        Candidate known{outcome_.best[target].inputs, std::vector<double>(outcome_.best.size(), kUnscored)};
        known.scores[target] = outcome_.best[target].score;
        walk(std::move(known), target);
      }
    }
    outcome_.seconds = seconds();
    return std::move(outcome_);
  }

 private:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  double share() const {
    return budget_.evaluations > 0 ? static_cast<double>(outcome_.evaluations) / static_cast<double>(budget_.evaluations)
                                   : seconds() / budget_.seconds;
  }
  bool spent() const { return share() >= 1; }

  /// Scores the candidates side by side, then takes note of them in their order. Targets keep the first of equals.
  void score(const std::vector<Candidate*>& candidates) {
    tbb::parallel_for(std::size_t{0}, candidates.size(), [&](std::size_t i) { candidates[i]->scores = objective_(candidates[i]->inputs); });
    for (const Candidate* candidate : candidates) {
      const bool scored = std::any_of(candidate->scores.begin(), candidate->scores.end(), [](double s) { return s > kUnscored; });
      outcome_.unscored += scored ? 0 : 1;
      for (std::size_t target = 0; target < outcome_.best.size(); ++target) {
        Found& best = outcome_.best[target];
        if (candidate->scores[target] > best.score) best = {candidate->scores[target], candidate->inputs, outcome_.evaluations};
      }
      ++outcome_.evaluations;
    }
    progress_(std::min(1.0, share()));
  }

  bool accepts(double current, double candidate, double heat) {
    if (candidate >= current) return true;
    return candidate > 0 && draws_.chance(std::pow(candidate / current, 1 / std::max(heat, 1e-6)));
  }

  void walk(Candidate current, std::size_t target) {
    double best = current.scores[target];
    for (std::int64_t idle = 0; idle < kPatience && !spent(); ++idle) {
      std::int64_t count = kCandidates;
      if (budget_.evaluations > 0) count = std::min(count, budget_.evaluations - outcome_.evaluations);
      std::vector<Candidate> candidates(static_cast<std::size_t>(count));
      std::vector<Candidate*> all;
      for (Candidate& candidate : candidates) candidate.inputs = moves_.changed(current.inputs, draws_), all.push_back(&candidate);
      score(all);
      Candidate* winner = all.front();
      for (Candidate* candidate : all) {
        if (candidate->scores[target] > winner->scores[target]) winner = candidate;
      }
      const double heat = kHeat * (1 - static_cast<double>(idle) / static_cast<double>(kPatience));
      if (accepts(current.scores[target], winner->scores[target], heat)) current = std::move(*winner);
      if (current.scores[target] > best) best = current.scores[target], idle = -1;
      if (best == std::numeric_limits<double>::infinity()) return;  // nothing is larger
    }
  }

  Moves moves_;
  const Restart& restart_;
  const Objective& objective_;
  Budget budget_;
  Draws draws_;
  const std::function<void(double)>& progress_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Outcome outcome_;
};

}  // namespace

Outcome maximise(const problem::Problem& problem, scalar::Format format, const TensorMap& start, const Restart& restart,
                 const Objective& objective, const Budget& budget, std::uint64_t seed, const std::function<void(double)>& progress) {
  return Search(problem, format, restart, objective, budget, seed, progress).run(start);
}

}  // namespace equinorm::search
