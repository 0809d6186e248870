// The precision ladder: equal forms approach each other bit for bit, faulty ones do not, and too few bits decide nothing.
#include "exact/ladder.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/real_arithmetic.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::exact {
namespace {

const std::vector<int> kShort{53, 256};

void fill_with(tensor::AnyTensor& tensor, double value) {
  const std::vector<double> values(static_cast<std::size_t>(tensor.size()), value);
  tensor.write(0, tensor.size(), values.data());
}

TEST_CASE("the right forms are equal on the ladder, with slope -1") {
  int sloped = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const Ladder ladder = climb(problem, reference::random_inputs(problem, seed), ladder_precisions());
    REQUIRE(ladder.rungs.size() == ladder_precisions().size());
    CHECK(ladder.equal == Truth::yes);
    const bool rounds = std::isfinite(ladder.rungs.front().log2_difference) && std::isfinite(ladder.rungs.back().log2_difference);
    if (!rounds) continue;
    CHECK(std::fabs(ladder.slope + 1) <= 0.02);
    ++sloped;
  }
  REQUIRE(sloped > 40);
}

/// Whether the true functions can tell the mutant apart; the others are faults of rounding or of infinities.
bool shows_in_reals(const paths::Mutant& mutant) { return mutant.expects(paths::kExact) || mutant.expects(paths::kReal); }

/// Whether the mutant's absorbed outputs are, on these very inputs, those of the right absorbed form to the last of 300 bits: no check of
/// values can tell them apart (no later tile brings a new maximum, a default scale of 1, ...).
bool coincides(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Mutant& mutant) {
  paths::Plan plan;
  plan.precision = problem.precision;
  plan.precision.order = {};
  if (mutant.adjust != nullptr) mutant.adjust(problem, plan);
  const paths::RealArithmetic ar(300, plan);
  const auto values = paths::load_inputs(ar, problem, inputs);
  const auto outputs = [&](std::string_view id) {
    return paths::run_path(ar, problem::PathKind::absorbed_form, problem, plan, values, *paths::make_formula<paths::RealArithmetic>(id),
                           {"logits", "y"});
  };
  const auto right = outputs(""), faulty = outputs(mutant.id);
  for (const auto& [name, tensor] : right.tensors) {
    for (tensor::Index i = 0; i < tensor.size(); ++i) {
      if (scalar::compare(tensor[i], faulty.at(name)[i]) != 0) return false;
    }
  }
  return true;
}

TEST_CASE("no mutant is called equal on the ladder, unless it computes the same numbers on the given inputs") {
  std::map<std::string_view, int> told_apart;
  int coincidences = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (!shows_in_reals(mutant) || !mutant.applies(problem)) continue;
      INFO(mutant.id << " on " << reference::describe(problem));
      const Ladder ladder = climb(problem, inputs, kShort, mutant.id);
      if (ladder.equal == Truth::no) {
        ++told_apart[mutant.id];
      } else {
        CHECK(ladder.equal == Truth::yes);
        CHECK(coincides(problem, inputs, mutant));
        ++coincidences;
      }
    }
  }
  CHECK(coincidences < 20);
  for (const paths::Mutant& mutant : paths::mutants()) {
    INFO(mutant.id << " (" << mutant.needs << ")");
    CHECK((told_apart[mutant.id] > 0) == shows_in_reals(mutant));
  }
}

TEST_CASE("starved precision decides nothing, whatever the forms are") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    for (const std::vector<int>& starved : {std::vector<int>{}, std::vector<int>{24}, std::vector<int>{24, 53}}) {
      for (const char* mutant : {"", "output-zero", "eps-1e-5"}) CHECK(climb(problem, inputs, starved, mutant).equal == Truth::unknown);
    }
    CHECK(climb(problem, inputs, {64}).equal == Truth::yes);
    CHECK(climb(problem, inputs, {64}, "output-times-1.003").equal == Truth::no);
  }
}

TEST_CASE("forms that hold nothing but zeros are equal, and have no slope") {
  problem::Problem problem;
  problem.heads = problem.groups = 2;
  problem.latent = 5, problem.content_dim = 4, problem.rope_dim = 2, problem.value_dim = 3;
  problem.queries = 2;
  problem.context = {6};
  tensor::TensorMap inputs = reference::random_inputs(problem, 1);
  fill_with(inputs.at("c"), 0);
  fill_with(inputs.at("k_rope"), 0);
  const Ladder zeros = climb(problem, inputs, ladder_precisions());
  CHECK(zeros.equal == Truth::yes);
  CHECK(std::isinf(zeros.rungs.back().log2_difference));
  CHECK(zeros.slope == 0);
  // The same keys, one of them not seen: nothing but the mask tells the forms apart.
  CHECK(climb(problem, inputs, ladder_precisions(), "causal-off-by-one").equal == Truth::no);
}

TEST_CASE("keys that cancel to rounding errors are equal all the same") {
  problem::Problem problem;
  problem.heads = problem.groups = 1;
  problem.latent = 3, problem.content_dim = 1, problem.rope_dim = 0, problem.value_dim = 1;
  problem.rope.layout = problem::RopeLayout::none;
  problem.context = {1};
  tensor::TensorMap inputs = reference::random_inputs(problem, 1);
  // c W_K = c W_V = 0 exactly, while q_tilde = W_K g, with alpha_q = 1/sqrt(q^2 + eps) inside g, is rounded.
  const std::vector<double> latent{1, 1, -2}, weights{0.625, 0.375, 0.5};
  inputs.at("c").write(0, 3, latent.data());
  inputs.at("w_k").write(0, 3, weights.data());
  inputs.at("w_v").write(0, 3, weights.data());
  CHECK(climb(problem, inputs, ladder_precisions()).equal == Truth::yes);
  CHECK(climb(problem, inputs, ladder_precisions(), "output-times-1.003").equal == Truth::yes);  // 1.003 times nothing
  CHECK(climb(problem, inputs, ladder_precisions(), "k-norm-skipped").equal == Truth::yes);
}

TEST_CASE("rows without keys are equal on the ladder") {
  problem::Problem problem;
  problem.batch = 2;
  problem.heads = problem.groups = 1;
  problem.latent = 3, problem.content_dim = 2, problem.rope_dim = 2, problem.value_dim = 2;
  problem.queries = 3;
  problem.context = {0, 2};
  const tensor::TensorMap inputs = reference::random_inputs(problem, 3);
  CHECK(climb(problem, inputs, ladder_precisions()).equal == Truth::yes);
  CHECK(climb(problem, inputs, ladder_precisions(), "last-key-dropped").equal == Truth::no);
}

}  // namespace
}  // namespace equinorm::exact
