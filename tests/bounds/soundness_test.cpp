// No correct implementation may be beyond its bound: random problems, plans and data. EQUINORM_BOUND_SEEDS and EQUINORM_BOUND_FIRST draw
// more.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "bounds/judge.hpp"
#include "inputs/generate.hpp"
#include "inputs/round.hpp"
#include "reference/any_scheme.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::bounds {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Inputs of one of the families that serve the problem, or the tests' own draws.
tensor::TensorMap any_inputs(problem::Problem problem, reference::Dice& dice) {
  const auto families = inputs::input_families();
  if (dice.one_in(3)) return reference::random_inputs(problem, problem.inputs.seed);
  problem.inputs.kind = families[static_cast<std::size_t>(dice.between(0, static_cast<std::int64_t>(families.size()) - 1))].first;
  try {
    return inputs::generate_inputs(problem);
  } catch (const Error&) {
    return reference::random_inputs(problem, problem.inputs.seed);  // this family does not serve this problem
  }
}

void add(std::map<std::string, Judged>& totals, const std::map<std::string, Judged>& one) {
  for (const auto& [name, judged] : one) {
    Judged& total = totals[name];
    total.elements += judged.elements, total.violations += judged.violations, total.unbounded += judged.unbounded;
    total.worst = std::fmax(total.worst, judged.worst);
  }
}

std::string table(const std::map<std::string, Judged>& totals) {
  std::string text = fmt::format("{:14} {:>12} {:>10} {:>11} {:>12}\n", "tensor", "elements", "unbounded", "violations", "error/bound");
  for (const auto& [name, judged] : totals) {
    text += fmt::format("{:14} {:12} {:10} {:11} {:12.4f}\n", name, judged.elements, judged.unbounded, judged.violations, judged.worst);
  }
  return text;
}

TEST_CASE("no element of a tiny problem is beyond its bound") {
  const std::uint64_t first = from_environment("EQUINORM_BOUND_FIRST", 1), seeds = from_environment("EQUINORM_BOUND_SEEDS", 400);
  std::map<std::string, Judged> totals;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 7 + 3);
    const paths::Plan plan = any_plan(dice, problem.precision.storage);
    const tensor::TensorMap inputs = inputs::round_inputs(problem, any_inputs(problem, dice), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      const auto judged = judge_with_balls(problem, inputs, plan, form);
      for (const auto& [name, one] : judged) {
        INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form) << "; " << one.first);
        CHECK(one.violations == 0);
      }
      add(totals, judged);
    }
  }
  WARN(table(totals));
  for (const char* name : {"k_hat", "q_tilde", "logits", "u", "o"}) CHECK(totals.at(name).worst > 0.9);  // the bounds are attained
}

/// r = 512, d_c = 128, d_r = 64, every family, scheme and plan.
problem::Problem full_size_problem(reference::Dice& dice, std::uint64_t seed) {
  problem::Problem problem;
  problem.name = "full-size-" + std::to_string(seed);
  problem.context = {dice.between(64, 256)};
  problem.queries = dice.between(1, 2);
  problem.heads = dice.between(1, 2), problem.groups = 1;
  problem.norm.scheme = reference::any_scheme(dice, problem.attention);
  problem.norm.kind = dice.one_in(4) ? problem::NormKind::l2 : problem::NormKind::rms;
  problem.norm.weight = dice.one_of({problem::NormWeight::plain, problem::NormWeight::zero_centred, problem::NormWeight::none});
  problem.inputs.seed = seed;
  problem.precision.storage = dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32});
  problem::validate(problem);
  return problem;
}

TEST_CASE("no element of a full-size problem is beyond its bound") {
  const std::uint64_t first = from_environment("EQUINORM_BOUND_FIRST", 1), seeds = from_environment("EQUINORM_BOUND_FULL", 12);
  std::map<std::string, Judged> totals;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    reference::Dice dice(seed * 13 + 1);
    const problem::Problem problem = full_size_problem(dice, seed);
    const paths::Plan plan = any_plan(dice, problem.precision.storage);
    const tensor::TensorMap inputs = inputs::round_inputs(problem, any_inputs(problem, dice), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      const auto judged = judge_with_oracle(problem, inputs, plan, form);
      for (const auto& [name, one] : judged) {
        INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form) << "; " << one.first);
        CHECK(one.violations == 0);
      }
      add(totals, judged);
    }
  }
  WARN(table(totals));
}

TEST_CASE("what is copied exactly, and what is exactly zero, is decided against the oracle's enclosures") {
  Index elements = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    problem::Problem problem = reference::random_small_problem(seed);
    if (problem.norm.scheme != problem::NormScheme::none && seed % 5 != 0) continue;
    reference::Dice dice(seed * 17 + 2);
    paths::Plan plan = any_plan(dice, problem.precision.storage);
    problem.inputs.kind = seed % 5 == 0 && problem.start == problem::Start::latent ? "integers" : "normal";
    const tensor::TensorMap inputs =
        inputs::round_inputs(problem, inputs::generate_inputs(problem), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      for (const auto& [name, one] : judge_with_oracle(problem, inputs, plan, form)) {
        INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form) << " " << name);
        CHECK(one.violations == 0);
        CHECK(one.undecided == 0);
        elements += one.elements;
      }
    }
  }
  CHECK(elements > 50000);
}

TEST_CASE("the logits of the two forms differ by no more than what their bounds do not share") {
  const std::uint64_t seeds = from_environment("EQUINORM_BOUND_SEEDS", 300);
  double worst = 0, gain = 1;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 23 + 9);
    const paths::Plan plan = any_plan(dice, problem.precision.storage);
    const tensor::TensorMap inputs = inputs::round_inputs(problem, any_inputs(problem, dice), plan.precision.storage, plan.precision.ftz);
    const Difference one = judge_difference(problem, inputs, plan);
    INFO(reference::describe(problem) << "; " << describe(plan));
    CHECK(one.worst <= 1);
    worst = std::fmax(worst, one.worst);
    if (one.worst > 0) gain = std::fmax(gain, one.worst / one.worst_simple);
  }
  WARN(fmt::format("largest difference / bound {:.4f}; the sum of both bounds is up to {:.1f} times as large", worst, gain));
  CHECK(worst > 0.8);
  CHECK(gain > 1.5);
}

}  // namespace
}  // namespace equinorm::bounds
