// What a plan may change, and what it may not: stages in arithmetics of their own, tensors stored narrow, and every legal variation.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "paths/support.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::paths {
namespace {

using Wide = RoundedArithmetic<double>;
using Stages = StageArithmetics<Wide>;
using Names = std::set<std::string>;

const Names kKeys{"alpha_k", "k_hat", "k_rope_cached", "k_deferred"};
const Names kQueries{"alpha_q", "q_hat", "q_tilde", "q_rope_hat"};

/// A stage, the tensors that it computes itself, and those that lie before it or beside it in data flow.
struct StageRow {
  const char* name;
  Wide Stages::*arithmetic;
  Names own;
  Names untouched;
};

Names joined(std::initializer_list<Names> sets) {
  Names all;
  for (const Names& names : sets) all.insert(names.begin(), names.end());
  return all;
}

std::vector<StageRow> stage_rows() {
  const Names before_score = joined({kKeys, kQueries});
  const Names before_softmax = joined({before_score, {"logits"}});
  const Names before_value = joined({before_softmax, {"p", "lse"}});
  return {{"cache_write", &Stages::cache_write, kKeys, kQueries},
          {"query", &Stages::query, kQueries, kKeys},
          {"score", &Stages::score, {"logits"}, before_score},
          {"softmax", &Stages::softmax, {"p", "lse"}, before_softmax},
          {"value", &Stages::value, {"u"}, before_value},
          {"output", &Stages::output, {"o", "o_gated", "y"}, joined({before_value, {"u"}})}};
}

TEST_CASE("a staged path with one arithmetic is the path") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed);
    const Plan plan = random_plan(problem, dice);
    INFO(reference::describe(problem) << "; " << describe(plan));
    const Wide ar(plan);
    const auto inputs = load_inputs(ar, problem, reference::random_inputs(problem, seed));
    for (const PathKind form : kForms) {
      REQUIRE(first_change(run(ar, form, problem, plan, inputs), run_staged_path(Stages(ar), form, problem, plan, inputs)) == "");
    }
  }
}

TEST_CASE("rounding one stage changes its own tensors and nothing before it") {
  std::map<std::string, int> changed;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    Plan wide_plan = plan_in(scalar::kFp64, problem);
    const Plan narrow_plan = plan_in(scalar::kBf16, problem);
    wide_plan.fold_alpha_q = seed % 2 == 0;
    INFO(reference::describe(problem));
    const Wide wide(wide_plan), narrow(narrow_plan);
    const auto inputs = load_inputs(wide, problem, reference::random_inputs(problem, seed));
    for (const PathKind form : kForms) {
      const auto base = run(wide, form, problem, wide_plan, inputs);
      for (const StageRow& stage : stage_rows()) {
        Stages stages(wide);
        stages.*stage.arithmetic = narrow;
        const auto moved = run_staged_path(stages, form, problem, wide_plan, inputs);
        for (const auto& [name, tensor] : base.tensors) {
          INFO("stage " << stage.name << ", tensor " << name);
          const bool same = first_change(tensor, moved.at(name)) < 0;
          if (stage.untouched.contains(name)) REQUIRE(same);
          if (stage.own.contains(name) && !same) ++changed[std::string(stage.name) + " " + name];
        }
      }
    }
  }
  for (const StageRow& stage : stage_rows()) {
    for (const std::string& name : stage.own) {
      INFO("stage " << stage.name << " must round " << name);
      CHECK(changed[std::string(stage.name) + " " + name] > 3);
    }
  }
}

TEST_CASE("stage project alone rounds the projections of x, and nothing of a problem that starts at the latent") {
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    const Plan plan = plan_in(scalar::kFp64, problem);
    INFO(reference::describe(problem));
    const Wide wide(plan);
    const auto inputs = load_inputs(wide, problem, reference::random_inputs(problem, seed));
    Stages stages(wide);
    stages.project = Wide(plan_in(scalar::kBf16, problem));
    const std::string change = first_change(run(wide, PathKind::absorbed_form, problem, plan, inputs),
                                            run_staged_path(stages, PathKind::absorbed_form, problem, plan, inputs));
    if (problem.start == problem::Start::latent) REQUIRE(change == "");
    moved += change.empty() ? 0 : 1;
  }
  REQUIRE(moved > 10);
}

TEST_CASE("a tensor that the plan stores narrow is narrow, and what comes before it is as it was") {
  const std::map<problem::Stored, Names> tensors{{problem::Stored::alpha, {"alpha_k"}},
                                                 {problem::Stored::q_tilde, {"q_tilde"}},
                                                 {problem::Stored::k_hat, {"k_hat", "k_rope_cached", "k_deferred"}},
                                                 {problem::Stored::q_hat, {"q_hat", "q_rope_hat"}},
                                                 {problem::Stored::logits, {"logits"}},
                                                 {problem::Stored::u, {"u"}},
                                                 {problem::Stored::o, {"o"}}};
  const Names all_before_logits = joined({kKeys, kQueries});
  int narrowed = 0, wide_before = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    Plan base_plan = plan_in(scalar::kFp32, problem);
    base_plan.fold_alpha_q = seed % 2 == 0;
    const RoundedArithmetic<float> base_ar(base_plan);
    const auto inputs = load_inputs(base_ar, problem, reference::random_inputs(problem, seed));
    for (const PathKind form : kForms) {
      const auto base = run(base_ar, form, problem, base_plan, inputs);
      for (const auto& [stored, names] : tensors) {
        Plan plan = base_plan;
        plan.precision.of(stored) = scalar::kBf16;
        const auto out = run(RoundedArithmetic<float>(plan), form, problem, plan, inputs);
        for (const auto& [name, values] : out.tensors) {
          INFO("stored " << problem::kStoredNames[static_cast<std::size_t>(stored)] << ", tensor " << name);
          if (names.contains(name)) {
            for (Index i = 0; i < values.size(); ++i) REQUIRE(values[i] == scalar::round_to(scalar::kBf16, values[i]));
            if (first_change(values, base.at(name)) >= 0) ++narrowed;
          }
          const bool late = stored == problem::Stored::logits || stored == problem::Stored::u || stored == problem::Stored::o;
          if (late && all_before_logits.contains(name)) REQUIRE(first_change(values, base.at(name)) < 0);
          if ((stored == problem::Stored::u || stored == problem::Stored::o) && (name == "logits" || name == "p" || name == "lse")) {
            REQUIRE(first_change(values, base.at(name)) < 0);
            ++wide_before;
          }
        }
      }
    }
  }
  REQUIRE(narrowed > 200);
  REQUIRE(wide_before > 200);
}

/// Every combination of tile, splits, way to combine, folding and order.
std::vector<Plan> legal_variations(const problem::Problem& problem) {
  using Kind = scalar::SumOrder::Kind;
  std::vector<Plan> plans;
  for (const Index tile : {0, 1, 3, 50}) {
    for (const Index splits : {1, 2, 5, 40}) {
      for (const Combine combine : {Combine::unnormalised, Combine::lse}) {
        for (const bool fold : {true, false}) {
          Plan plan;
          plan.precision = problem.precision;
          plan.precision.tile = tile, plan.precision.splits = splits;
          plan.precision.order = {plans.size() % 3 == 0 ? Kind::pairwise : plans.size() % 3 == 1 ? Kind::blocked : Kind::sequential, 3, {}};
          plan.combine = combine, plan.fold_alpha_q = fold;
          plans.push_back(plan);
        }
      }
    }
  }
  return plans;
}

TEST_CASE("no legal plan changes the exact value, in either form") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed * 13);
    INFO(reference::describe(problem));
    const BallArithmetic ar(160);
    const auto inputs = load_inputs(ar, problem, reference::random_inputs(problem, seed));
    const std::vector<Plan> plans = legal_variations(problem);
    const auto base = run(ar, PathKind::explicit_form, problem, plans.front(), inputs);
    const auto absorbed_base = run(ar, PathKind::absorbed_form, problem, plans.front(), inputs);
    for (const Plan& plan : plans) {
      for (const PathKind form : kForms) {
        const auto out = run(ar, form, problem, plan, inputs);
        REQUIRE(first_change(out.live, base.live) < 0);
        REQUIRE(first_change(out.lse_live, base.lse_live) < 0);
        for (const auto& [name, values] : out.tensors) {
          const auto& expected = base.has(name) ? base : absorbed_base;
          if (!expected.has(name)) continue;
          INFO(name << ", " << describe(plan));
          for (Index i = 0; i < values.size(); ++i) {
            REQUIRE(arb_overlaps(values[i].get(), expected.at(name)[i].get()) != 0);
            REQUIRE(scalar::enclosure(values[i]).lo_radius < 0x1p-90);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace equinorm::paths
