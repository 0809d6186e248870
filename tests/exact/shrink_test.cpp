// Shrinking keeps every feature, and the rounds of the field check suffice at any length.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "exact/equality.hpp"
#include "paths/mutants.hpp"
#include "problem/builtin.hpp"
#include "problem/problem_file.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::exact {
namespace {

using problem::Problem;

bool ragged(const Problem& p) {
  for (Index b = 0; b < p.batch; ++b) {
    if (p.context_of(b) != p.max_context()) return true;
  }
  return false;
}
bool has_empty_row(const Problem& p) { return std::find(p.context.begin(), p.context.end(), 0) != p.context.end(); }

void check_features(const Problem& full) {
  INFO(reference::describe(full));
  const Problem small = shrink(full);
  REQUIRE_NOTHROW(problem::validate(small));
  CHECK(small.attention == full.attention);
  CHECK(small.start == full.start);
  CHECK(small.norm.scheme == full.norm.scheme);
  CHECK(small.norm.kind == full.norm.kind);
  CHECK(small.norm.weight == full.norm.weight);
  CHECK(small.norm.latent_norm == full.norm.latent_norm);
  CHECK(small.norm.eps == full.norm.eps);
  CHECK(small.rope.layout == full.rope.layout);
  CHECK(small.rope.part == full.rope.part);
  CHECK(small.rope.scaling.has_value() == full.rope.scaling.has_value());
  CHECK(small.mask.kind == full.mask.kind);
  CHECK((small.mask.window > 0) == (full.mask.window > 0));
  CHECK(small.scale == full.scale);
  CHECK(small.softcap == full.softcap);
  CHECK(small.sink == full.sink);
  CHECK(small.output_gate == full.output_gate);
  CHECK((small.batch > 1) == (full.batch > 1));
  CHECK((small.queries > 1) == (full.queries > 1));
  CHECK((small.max_context() > 1) == (full.max_context() > 1));
  CHECK(ragged(small) == ragged(full));
  CHECK(has_empty_row(small) == has_empty_row(full));
  CHECK((small.groups > 1) == (full.groups > 1));
  CHECK((small.heads > small.groups) == (full.heads > full.groups));
  CHECK((small.rope_dim > 0) == (full.rope_dim > 0));
  if (!full.is_mla()) CHECK((small.rope_dim < small.head_dim) == (full.rope_dim < full.head_dim));
  CHECK((small.model_dim > 0) == (full.model_dim > 0));
  CHECK((small.query_latent > 0) == (full.query_latent > 0));
  CHECK(small.max_context() <= 9);
  CHECK(small.heads <= 4);
  CHECK(small.key_dim() <= 8);
}

TEST_CASE("shrinking keeps every feature of random problems") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) check_features(reference::random_small_problem(seed));
}

TEST_CASE("shrinking keeps every feature of the built-in cases and presets") {
  for (const auto* sources : {&problem::builtin_cases(), &problem::presets()}) {
    REQUIRE(!sources->empty());
    for (const problem::NamedSource& source : *sources) check_features(*problem::find_builtin(source.name));
  }
}

TEST_CASE("the bound of one round grows with the context, and rounds are added until the total is below 2^-40") {
  Problem problem;
  double shorter = -100;
  for (Index context = 1; context <= 262144; context *= 2) {
    INFO("context " << context);
    problem.context = {context};
    double total = 0;
    int rounds = 0;
    for (; total > -40 && rounds < 50; ++rounds) {
      const double round_log2 = field_round_log2(problem, legal_plans(problem, rounds));
      REQUIRE(round_log2 < -1);
      total += round_log2;
    }
    CHECK(rounds <= 4);
    CHECK(total <= -40);
    const double first = field_round_log2(problem, legal_plans(problem, 0));
    CHECK(first >= shorter);
    shorter = first;
  }
}

TEST_CASE("a field check stops at the total that it claims") {
  Problem problem;
  problem.heads = problem.groups = 1;
  problem.latent = 2, problem.content_dim = 1, problem.rope_dim = 0, problem.value_dim = 1;
  problem.rope.layout = problem::RopeLayout::none;
  for (const Index context : {1, 700, 20000}) {
    problem.context = {context};
    INFO("context " << context);
    const Equality result = check_in_field(problem, 5, {}, 1);
    CHECK(result.equal == Truth::yes);
    CHECK(result.false_equal_log2 <= -40);
    double claimed = 0;
    for (int round = 0; round < result.rounds; ++round) claimed += field_round_log2(problem, legal_plans(problem, round));
    CHECK(result.false_equal_log2 == Approx(claimed));
    CHECK(result.elements >= result.rounds * 3 * context);
  }
}

}  // namespace
}  // namespace equinorm::exact
