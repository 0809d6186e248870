// Probable bounds hold on random data, lie well below the rigorous ones, and give way to them where the model does not hold.
// EQUINORM_PROBABLE_SEEDS draws more.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "bounds/judge.hpp"
#include "inputs/generate.hpp"
#include "inputs/round.hpp"
#include "reference/any_scheme.hpp"

namespace equinorm::bounds {
namespace {

problem::Problem any_problem(reference::Dice& dice, std::uint64_t seed) {
  problem::Problem p;
  p.context = {dice.between(32, 128)}, p.heads = dice.between(1, 2), p.groups = 1;
  p.inputs.seed = seed;
  p.norm.kind = dice.one_in(4) ? problem::NormKind::l2 : problem::NormKind::rms;
  p.norm.weight = dice.one_of({problem::NormWeight::plain, problem::NormWeight::zero_centred, problem::NormWeight::none});
  if (dice.one_in(4)) {
    p.attention = problem::Attention::gqa;
    p.rope_dim = 64;
  } else {
    p.latent = dice.one_of({128, 512});
  }
  p.norm.scheme = reference::any_scheme(dice, p.attention);
  p.precision.storage = dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32});
  if (dice.one_in(4)) p.softcap = scalar::Decimal("20");
  p.sink = dice.one_in(4);
  problem::validate(p);
  return p;
}

/// fp32 sums in any order that rounds to nearest.
paths::Plan modelled_plan(reference::Dice& dice, scalar::Format storage) {
  paths::Plan plan = any_plan(dice, storage);
  plan.precision.accumulate = plan.precision.statistics = scalar::kFp32;
  if (plan.precision.order.kind == scalar::SumOrder::Kind::tensor_core) plan.precision.order = {};
  return plan;
}

double largest(const tensor::Tensor<double>& x) {
  double most = 0;
  for (Index i = 0; i < x.size(); ++i) most = std::fmax(most, x[i]);
  return most;
}

TEST_CASE("random data stay within their probable bounds at lambda 6") {
  const char* text = std::getenv("EQUINORM_PROBABLE_SEEDS");
  const std::uint64_t seeds = text != nullptr ? std::strtoull(text, nullptr, 10) : 60;
  std::map<std::string, double> worst;
  Index elements = 0, exceeded = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    reference::Dice dice(seed * 19 + 7);
    problem::Problem problem = any_problem(dice, seed);
    problem.inputs.kind = dice.one_of({"normal", "normal", "uniform", "massive-channels", "nullspace", "anisotropic", "wide-tokens"});
    const paths::Plan plan = modelled_plan(dice, problem.precision.storage);
    const tensor::TensorMap inputs =
        inputs::round_inputs(problem, inputs::generate_inputs(problem), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      const auto judged = judge_probable(problem, inputs, plan, form, 6);
      REQUIRE(judged.size() == 2);
      for (const auto& [name, one] : judged) {
        INFO("seed " << seed << " " << problem.inputs.kind << " " << problem::to_string(problem.norm.scheme) << "; " << describe(plan)
                     << "; " << problem::to_string(form) << "; " << one.first);
        CHECK(one.violations == 0);
        elements += one.elements, exceeded += one.violations;
        worst[name] = std::fmax(worst[name], one.worst);
      }
    }
  }
  WARN(fmt::format("{} elements, {} beyond; largest error / bound: logits {:.3f}, o {:.3f}", elements, exceeded, worst["logits"],
                   worst["o"]));
  CHECK(worst["logits"] > 0.3);
}

TEST_CASE("probable bounds are far below the rigorous ones, and never above them") {
  problem::Problem problem;
  problem.context = {256}, problem.heads = problem.groups = 1;
  paths::Plan plan;
  plan.precision.storage = scalar::kFp32;
  plan.precision.stored.fill(scalar::kFp32);
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
    const ProbableBounds both = probable_bounds(problem, inputs, plan, form, {"logits", "o", "lse"});
    CHECK(both.miss() == Approx(3.046e-8).epsilon(1e-3));
    CHECK_FALSE(both.probable.contains("lse"));
    for (const char* name : {"logits", "o"}) {
      const auto &sure = both.rigorous.at(name), &likely = both.probable.at(name);
      for (Index i = 0; i < sure.size(); ++i) REQUIRE(likely[i] <= sure[i]);
    }
    CHECK(largest(both.probable.at("logits")) < 0.25 * largest(both.rigorous.at("logits")));
    CHECK(largest(both.probable.at("o")) < 0.25 * largest(both.rigorous.at("o")));
  }
}

TEST_CASE("no probable bounds where rounding errors are no random ones") {
  problem::Problem problem;
  problem.context = {32}, problem.heads = problem.groups = 1;
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  paths::Plan unit, narrow;
  unit.precision.order = {scalar::SumOrder::Kind::tensor_core, 0, "sm_90"};
  narrow.precision.accumulate = scalar::kBf16;
  for (const paths::Plan& plan : {unit, narrow}) {
    const ProbableBounds both = probable_bounds(problem, inputs, plan, PathKind::explicit_form, {"o"});
    CHECK(both.probable.empty());
    CHECK(both.rigorous.contains("o"));
  }
}

}  // namespace
}  // namespace equinorm::bounds
