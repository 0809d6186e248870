// The sample of a problem (room inputs) is a part of it: its exact logits are logits of the whole problem.
#include "inputs/sample.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/support.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::paths {
namespace {

PathOutput<scalar::Ball> exact_run(const problem::Problem& problem, const tensor::TensorMap& inputs) {
  const BallArithmetic ar(160);
  Plan plan;
  plan.precision = problem.precision;
  return run(ar, PathKind::absorbed_form, problem, plan, load_inputs(ar, problem, inputs));
}

/// "head 5, 8 of 4096 tokens": the head and the number of tokens.
std::pair<Index, Index> parse(const std::string& description) {
  long head = -1, tokens = -1;
  REQUIRE(std::sscanf(description.c_str(), "head %ld, %ld of", &head, &tokens) == 2);
  return {head, tokens};
}

/// The positions_k of a sample made without explicit ones are its tokens' indices.
std::vector<Index> tokens_of(const problem::Problem& problem, tensor::TensorMap inputs, Index max_tokens, std::uint64_t seed) {
  inputs.erase("positions_k");
  inputs.erase("positions_q");
  const auto sample = inputs::sample_problem(problem, inputs, max_tokens, seed);
  std::vector<Index> tokens(static_cast<std::size_t>(sample->problem.max_context()));
  sample->inputs.at("positions_k").read_integers(0, static_cast<Index>(tokens.size()), tokens.data());
  return tokens;
}

TEST_CASE("the sample's exact logits are those of the whole problem") {
  int sampled = 0, with_positions = 0, partial = 0;
  std::set<std::string> variants;
  for (std::uint64_t seed = 1; seed <= 240; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    if (problem.norm.scheme == problem::NormScheme::full_width) continue;  // its statistic is over other heads than the sample's
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const Index max_tokens = 1 + static_cast<Index>(seed % 5);
    INFO(reference::describe(problem) << ", " << max_tokens << " tokens");
    const auto sample = inputs::sample_problem(problem, inputs, max_tokens, seed);
    REQUIRE(sample.has_value());
    REQUIRE_NOTHROW(problem::validate(sample->problem));
    const auto [head, count] = parse(sample->description);
    const std::vector<Index> tokens = tokens_of(problem, inputs, max_tokens, seed);
    REQUIRE(static_cast<Index>(tokens.size()) == count);
    REQUIRE((count >= 1 && count <= max_tokens));
    REQUIRE(std::set<Index>(tokens.begin(), tokens.end()).size() == tokens.size());
    REQUIRE(tokens.back() == problem.max_context() - 1);

    // The row is the last of the longest ones, the query its last.
    Index row = 0;
    for (Index b = 0; b < problem.batch; ++b) row = problem.context_of(b) == problem.max_context() ? b : row;
    const auto whole = exact_run(problem, inputs);
    const auto part = exact_run(sample->problem, sample->inputs);
    for (Index i = 0; i < count; ++i) {
      const Index t = tokens[static_cast<std::size_t>(i)];
      INFO("token " << t << " of row " << row << ", head " << head);
      REQUIRE(*whole.live.row(row, problem.queries - 1, t) == 1);
      REQUIRE(*part.live.row(0, 0, i) == 1);
      const scalar::Ball &expected = *whole.at("logits").row(row, head, problem.queries - 1, t), &got = *part.at("logits").row(0, 0, 0, i);
      REQUIRE(arb_overlaps(expected.get(), got.get()) != 0);
      REQUIRE(scalar::enclosure(got).lo_radius < 0x1p-90);
    }
    ++sampled;
    with_positions += inputs.contains("positions_k") ? 1 : 0;
    partial += count < problem.max_context() ? 1 : 0;
    variants.insert(problem::to_string(problem.attention) + problem::to_string(problem.start) + problem::to_string(problem.mask.kind));
  }
  CHECK(sampled > 150);
  CHECK(with_positions > 20);
  CHECK(partial > 80);
  CHECK(variants.size() == 12);  // {mla, gqa} x {latent, x} x {causal, window, none}
}

TEST_CASE("a sample of all tokens of a one-head problem has its output") {
  int compared = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    if (problem.heads != 1) continue;
    INFO(reference::describe(problem));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const auto sample = inputs::sample_problem(problem, inputs, 100, seed);
    REQUIRE(sample.has_value());
    Index row = 0;
    for (Index b = 0; b < problem.batch; ++b) row = problem.context_of(b) == problem.max_context() ? b : row;
    const auto whole = exact_run(problem, inputs);
    const auto part = exact_run(sample->problem, sample->inputs);
    for (const char* name : {"o", "o_gated", "y"}) {
      if (!whole.has(name)) continue;
      const Tensor<scalar::Ball>&expected = whole.at(name), &got = part.at(name);
      const Index width = got.size();
      for (Index j = 0; j < width; ++j) {
        INFO(name << " " << j);
        REQUIRE(arb_overlaps(got[j].get(), (expected.row(row, problem.queries - 1) + j)->get()) != 0);
      }
      ++compared;
    }
  }
  REQUIRE(compared >= 6);
}

TEST_CASE("no sample of a problem without keys") {
  problem::Problem problem = reference::random_small_problem(1);
  problem.start = problem::Start::latent;
  problem.context = {0};
  CHECK_FALSE(inputs::sample_problem(problem, {}, 4, 1).has_value());
}

}  // namespace
}  // namespace equinorm::paths
