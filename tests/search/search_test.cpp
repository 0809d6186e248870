// Moves keep inputs legal; a search is reproducible, keeps the best and leaves what cannot be scored.
#include "search/search.hpp"

#include <tbb/global_control.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "inputs/generate.hpp"
#include "scalar/rounding.hpp"
#include "search/moves.hpp"

namespace equinorm::search {
namespace {

using tensor::Index;
using tensor::TensorMap;

problem::Problem small_problem(scalar::Format storage) {
  problem::Problem p;
  p.context = {3}, p.queries = 2, p.heads = p.groups = 2;
  p.latent = 5, p.content_dim = 4, p.rope_dim = 2, p.value_dim = 3;
  p.precision.storage = storage;
  return p;
}

bool same(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second.byte_size() != tensor.byte_size()) return false;
    if (std::memcmp(tensor.bytes(), other->second.bytes(), tensor.byte_size()) != 0) return false;
  }
  return true;
}

/// The sum of c against a fixed sign pattern: largest where every element of c has that sign and is large.
double planted(const TensorMap& inputs) {
  double sum = 0;
  const tensor::AnyTensor& c = inputs.at("c");
  for (Index i = 0; i < c.size(); ++i) sum += (i * i % 7 < 3 ? 1 : -1) * std::clamp(c.at(i), -4.0, 4.0);
  return sum;
}

struct Run {
  problem::Problem problem = small_problem(scalar::kBf16);
  TensorMap start = inputs::generate_inputs(problem);

  Outcome maximise(const Objective& objective, const Budget& budget, std::uint64_t seed = 1) const {
    const auto restart = [&](std::int64_t n) {
      problem::Problem drawn = problem;
      drawn.inputs.seed = static_cast<std::uint64_t>(100 + n);
      return inputs::generate_inputs(drawn);
    };
    return search::maximise(problem, scalar::kBf16, start, restart, objective, budget, seed, [](double) {});
  }
};

}  // namespace

TEST_CASE("Moves stay within the storage format and leave tables alone") {
  for (const scalar::Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp64}) {
    const problem::Problem problem = small_problem(format);
    const TensorMap start = inputs::generate_inputs(problem);
    const Moves moves(problem, format);
    Draws draws(7, "test");
    TensorMap inputs = start;
    int still = 0;
    for (int step = 0; step < 4000; ++step) {
      const TensorMap next = moves.changed(inputs, draws);
      still += same(inputs, next) ? 1 : 0;
      inputs = next;
      for (const auto& [name, tensor] : inputs) {
        REQUIRE(tensor.shape() == start.at(name).shape());
        for (Index i = 0; i < tensor.size(); ++i) {
          const double x = tensor.at(i);
          INFO(scalar::to_string(format) << " step " << step << " " << name << " " << x);
          REQUIRE(std::isfinite(x));
          REQUIRE(scalar::round_to(name.starts_with("rope") ? scalar::kFp32 : format, x) == x);
        }
      }
      if (step % 100 == 99) inputs = start;
    }
    CHECK(still < 1000);
    CHECK(same({{"cos", inputs.at("rope_cos")}, {"sin", inputs.at("rope_sin")}},
               {{"cos", start.at("rope_cos")}, {"sin", start.at("rope_sin")}}));
  }
}

TEST_CASE("A search by evaluations is the same at any number of threads") {
  const Run run;
  const Objective objective = [](const TensorMap& inputs) { return std::vector<double>{planted(inputs), -planted(inputs)}; };
  std::vector<Outcome> outcomes;
  for (const std::size_t threads : {1, 2, 5}) {
    const tbb::global_control control(tbb::global_control::max_allowed_parallelism, threads);
    outcomes.push_back(run.maximise(objective, {3001, 0}));
  }
  for (const Outcome& outcome : outcomes) {
    CHECK(outcome.evaluations == 3001);
    REQUIRE(outcome.best.size() == 2);
    for (std::size_t target = 0; target < 2; ++target) {
      CHECK(outcome.best[target].score == outcomes[0].best[target].score);
      CHECK(outcome.best[target].evaluation == outcomes[0].best[target].evaluation);
      CHECK(same(outcome.best[target].inputs, outcomes[0].best[target].inputs));
    }
  }
  CHECK(!same(run.maximise(objective, {3001, 0}, 2).best[0].inputs, outcomes[0].best[0].inputs));
}

TEST_CASE("A search finds a planted maximum and reports the inputs that have it") {
  const Run run;
  const Objective objective = [](const TensorMap& inputs) { return std::vector<double>{planted(inputs), -planted(inputs)}; };
  const Outcome outcome = run.maximise(objective, {12000, 0});
  const double largest = 4 * 15;
  CHECK(outcome.start[0] < 0.3 * largest);
  CHECK(outcome.best[0].score > 0.9 * largest);
  CHECK(outcome.best[1].score > 0.9 * largest);
  CHECK(planted(outcome.best[0].inputs) == outcome.best[0].score);
  CHECK(-planted(outcome.best[1].inputs) == outcome.best[1].score);
}

TEST_CASE("Inputs without a score are counted and never kept; a budget of one is the start") {
  const Run run;
  const Objective objective = [&](const TensorMap& inputs) {
    return std::vector<double>{same(inputs, run.start) ? 1.0 : -std::numeric_limits<double>::infinity()};
  };
  const Outcome outcome = run.maximise(objective, {200, 0});
  CHECK(outcome.evaluations == 200);
  CHECK(outcome.unscored > 100);
  CHECK(outcome.best[0].score == 1);
  CHECK(same(outcome.best[0].inputs, run.start));
  const Outcome one = run.maximise(objective, {1, 0});
  CHECK(one.evaluations == 1);
  CHECK(one.best[0].evaluation == 0);
}

TEST_CASE("A search by seconds ends") {
  const Run run;
  const Outcome outcome = run.maximise([](const TensorMap& inputs) { return std::vector<double>{planted(inputs)}; }, {0, 0.2});
  CHECK(outcome.seconds >= 0.2);
  CHECK(outcome.evaluations > 1);
}

}  // namespace equinorm::search
