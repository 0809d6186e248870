#include "commands/exact_checks.hpp"

#include <fmt/format.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>

#include "commands/memory.hpp"
#include "commands/reference.hpp"
#include "exact/ladder.hpp"
#include "paths/mutants.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::commands {
namespace {

using verdict::ExactCheck;
using verdict::Verdict;

/// Operations of one precision of the ladder that take about a quarter of a second over all seven.
constexpr double kLadderWork = 6e5;

Verdict verdict_of(Truth equal) {
  return equal == Truth::yes ? Verdict::equal : equal == Truth::no ? Verdict::different : Verdict::undecided;
}

/// Runs `body` and stores how long it took.
template <class Body>
ExactCheck timed(const std::string& method, const Body& body) {
  ExactCheck check;
  check.method = method;
  const auto start = std::chrono::steady_clock::now();
  body(check);
  check.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return check;
}

/// Whether none of the outcomes `shown` is expected of the mutant; such a check is not run.
bool cannot_show(const std::string& mutant, unsigned shown, ExactCheck& check) {
  if (mutant.empty() || (paths::find_mutant(mutant).expected & shown) != 0) return false;
  check.verdict = Verdict::measured;
  check.scope = "not run: it cannot show this fault";
  return true;
}

/// Tokens of the ladder's sample.
problem::Index ladder_tokens(const problem::Problem& problem) {
  const auto tokens = static_cast<problem::Index>(kLadderWork / std::max(1.0, work_of(problem)) *
                                                  static_cast<double>(problem.max_context() * problem.heads));
  return std::clamp<problem::Index>(tokens, 4, 64);
}

void fill(ExactCheck& check, const exact::Equality& result) {
  check.verdict = verdict_of(result.equal);
  check.elements = result.elements;
  check.false_equal_log2 = result.false_equal_log2;
  if (result.departure) {
    const exact::Departure& d = *result.departure;
    check.difference = verdict::FirstDifference{d.stage, d.tensor, d.index, d.explicit_value, d.absorbed_value};
  }
}

void fill_prime_field(ExactCheck& check, const exact::Equality& result) {
  check.scope = fmt::format("full size, {} random point{}", result.rounds, result.rounds == 1 ? "" : "s");
  fill(check, result);
}

}  // namespace

ExactCheck prime_field_check(const problem::Problem& problem, const std::string& mutant) {
  return timed("prime field", [&](ExactCheck& check) {
    if (cannot_show(mutant, paths::kExact, check)) return;
    fill_prime_field(check, exact::check_in_field(problem, problem.inputs.seed, mutant));
  });
}

bool runs_prime_field(const std::string& mutant) {
  ExactCheck ignored;
  return !cannot_show(mutant, paths::kExact, ignored);
}

ExactCheck joined_prime_field_check(const problem::Problem& problem, const std::string& mutant, std::vector<exact::FieldPiece> pieces,
                                    double seconds) {
  ExactCheck check;
  check.method = "prime field", check.seconds = seconds;
  fill_prime_field(check, exact::join_pieces(problem, mutant, std::move(pieces)));
  return check;
}

double prime_field_memory(const problem::Problem& p) {
  const double tokens = static_cast<double>(p.max_context()), rows = static_cast<double>(p.batch * p.queries * p.heads);
  const double threads = static_cast<double>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
  // Logits and p of both forms; of a row the latents transposed; of each group under way its keys before and after the norm, its values,
  // and logits of at most 64 queries.
  double numbers = input_numbers(p) + 4 * rows * tokens;
  if (p.is_mla()) numbers += tokens * static_cast<double>(p.latent);
  const double own = static_cast<double>(p.is_mla() ? 2 * p.content_dim + p.value_dim : p.head_dim);
  const double queries = 2 * std::min(64.0, static_cast<double>(p.queries * (p.heads / p.groups)));
  numbers += std::min(threads, static_cast<double>(p.groups)) * tokens * (own + static_cast<double>(p.rope_dim) + queries);
  if (problem::norm_traits(p).over_all_heads && p.is_mla()) numbers += tokens * static_cast<double>(p.groups * p.content_dim);
  return 8 * numbers;
}

ExactCheck rational_check(const problem::Problem& problem, const std::string& mutant) {
  return timed("rationals", [&](ExactCheck& check) {
    if (cannot_show(mutant, paths::kExact, check)) return;
    const problem::Problem small = exact::shrink(problem);
    if (!mutant.empty() && !paths::find_mutant(mutant).applies(small)) {
      check.verdict = Verdict::measured;
      check.scope = "not run: the fault does not show on small dims";
      return;
    }
    const exact::Equality result = exact::check_in_rationals(problem, problem.inputs.seed, mutant);
    check.scope = fmt::format("dims shrunk to T {} H {} G {}, {} random point{}", small.max_context(), small.heads, small.groups,
                              result.rounds, result.rounds == 1 ? "" : "s");
    fill(check, result);
  });
}

ExactCheck ladder_check(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::string& mutant) {
  return timed("precision ladder", [&](ExactCheck& check) {
    if (cannot_show(mutant, paths::kExact | paths::kReal, check)) return;
    std::optional<inputs::Sample> sample;
    if (work_of(problem) <= kLadderWork) {
      sample = inputs::Sample{problem, inputs, "the whole problem"};
    } else {
      sample = inputs::sample_problem(problem, inputs, ladder_tokens(problem), problem.inputs.seed);
    }
    const bool applies = sample && (mutant.empty() || paths::find_mutant(mutant).applies(sample->problem));
    if (!applies) {
      check.verdict = Verdict::measured;
      check.scope = sample ? "not run: the fault does not show on a sample" : "not run: no token is seen";
      return;
    }
    check.scope = sample->description;
    const exact::Ladder ladder = exact::climb(sample->problem, sample->inputs, exact::ladder_precisions(), mutant);
    check.verdict = verdict_of(ladder.equal);
    check.slope = ladder.slope;
    for (const exact::Rung& rung : ladder.rungs) check.rungs.push_back({rung.bits, rung.log2_difference});
  });
}

double ladder_work(const problem::Problem& problem) {
  if (work_of(problem) <= kLadderWork) return work_of(problem);
  problem::Problem sample = problem;
  sample.batch = sample.queries = sample.heads = sample.groups = 1;
  sample.context = {std::min(problem.max_context(), ladder_tokens(problem))};
  return work_of(sample);
}

}  // namespace equinorm::commands
