// The exact checks: the right forms are equal under every legal plan, every mutant is told apart where it applies.
#include "exact/equality.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "paths/mutants.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::exact {
namespace {

std::string text(const Equality& result) {
  if (!result.departure) return "equal";
  const Departure& d = *result.departure;
  return "stage " + d.stage + ", tensor " + d.tensor + ": " + d.explicit_value + " against " + d.absorbed_value;
}

TEST_CASE("explicit and absorbed are equal over the prime field, every variant and every legal plan") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const Equality result = check_in_field(problem, seed, {}, 4);
    INFO(text(result));
    REQUIRE(result.equal == Truth::yes);
    REQUIRE(result.rounds >= 4);
    REQUIRE(result.false_equal_log2 < -40);
    REQUIRE((problem.max_context() == 0 || result.elements > 0));
  }
}

TEST_CASE("explicit and absorbed are equal over the rationals") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const Equality result = check_in_rationals(problem, seed);
    INFO(text(result));
    REQUIRE(result.equal == Truth::yes);
  }
}

TEST_CASE("every mutant is told apart wherever it says it applies") {
  std::map<std::string_view, int> told_apart;
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (!mutant.expects(paths::kExact) || !mutant.applies(problem)) continue;
      INFO(mutant.id << " on " << reference::describe(problem));
      const Equality in_field = check_in_field(problem, seed, mutant.id);
      REQUIRE(in_field.equal == Truth::no);
      REQUIRE(in_field.departure.has_value() == (in_field.equal == Truth::no));
      ++told_apart[mutant.id];
    }
  }
  for (const paths::Mutant& mutant : paths::mutants()) {
    INFO(mutant.id << " (" << mutant.needs << ")");
    CHECK((told_apart[mutant.id] >= 3) == mutant.expects(paths::kExact));
  }
}

TEST_CASE("faults of rounding and of infinities do what the right formula does where there are none") {
  int checked = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (mutant.expects(paths::kExact) || mutant.expects(paths::kReal) || !mutant.applies(problem)) continue;
      INFO(mutant.id << " on " << reference::describe(problem));
      REQUIRE(check_in_field(problem, seed, mutant.id).equal == Truth::yes);
      ++checked;
    }
  }
  REQUIRE(checked > 50);
}

TEST_CASE("the rationals tell mutants apart too") {
  int told_apart = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const problem::Problem problem = shrink(reference::random_small_problem(seed));
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (!mutant.expects(paths::kExact) || !mutant.applies(problem)) continue;
      INFO(mutant.id << " on " << reference::describe(problem));
      REQUIRE(check_in_rationals(problem, seed, mutant.id).equal == Truth::no);
      ++told_apart;
    }
  }
  REQUIRE(told_apart > 100);
}

TEST_CASE("the probability bound of a false equal stays below 2^-40 up to a quarter of a million tokens") {
  problem::Problem problem;
  for (const Index context : {1, 64, 4096, 65536, 262144}) {
    problem.context = {context};
    const double per_round = field_round_log2(problem, legal_plans(problem, 0));
    INFO("context " << context << ": 2^" << per_round << " per round");
    CHECK(per_round < -10);
    CHECK(per_round > -50);
  }
}

}  // namespace
}  // namespace equinorm::exact
