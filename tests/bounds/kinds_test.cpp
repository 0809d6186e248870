// The kinds of bound beside each other: closed forms by lengths (A) and components (B), running (C), followed step by step (D).
// EQUINORM_KIND_SEEDS draws more.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "bounds/apriori.hpp"
#include "bounds/followed.hpp"
#include "bounds/judge.hpp"
#include "inputs/generate.hpp"
#include "inputs/round.hpp"
#include "reference/random_problem.hpp"
#include "scalar/emulated.hpp"

namespace equinorm::bounds {
namespace {

constexpr FunctionErrors kOurs{.base_two = false};
const std::set<std::string> kNames{"logits", "u", "o", "o_gated", "y"};

std::uint64_t seeds(std::uint64_t otherwise) {
  const char* text = std::getenv("EQUINORM_KIND_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

void check_errors(const std::map<std::string, Judged>& judged, std::map<std::string, double>& worst, const std::string& kind) {
  for (const auto& [name, one] : judged) {
    INFO(kind << ": " << one.first);
    CHECK(one.violations == 0);
    worst[kind + " " + name] = std::fmax(worst[kind + " " + name], one.worst);
  }
}

TEST_CASE("closed forms hold, and lengths are never sharper than components") {
  std::map<std::string, double> worst;
  int problems = 0;
  for (std::uint64_t seed = 1; seed <= seeds(500); ++seed) {
    problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 29 + 5);
    paths::Plan plan = any_plan(dice, problem.precision.storage);
    if (!has_apriori_bounds(problem, plan)) continue;
    ++problems;
    const tensor::TensorMap inputs = inputs::round_inputs(problem, reference::random_inputs(problem, seed), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form));
      const Bounds b = apriori_bounds(problem, inputs, plan, form, kNames, Sizes::components, kOurs);
      const Bounds a = apriori_bounds(problem, inputs, plan, form, kNames, Sizes::lengths, kOurs);
      check_errors(judge_against(problem, inputs, plan, form, b), worst, "B");
      check_errors(judge_against(problem, inputs, plan, form, a), worst, "A");
      for (const auto& [name, bounds] : b) {
        Index below = 0;
        for (Index i = 0; i < bounds.size(); ++i) below += a.at(name)[i] * (1 + 1e-12) >= bounds[i] ? 0 : 1;
        INFO(name);
        CHECK(below == 0);
      }
    }
  }
  std::string text;
  for (const auto& [name, ratio] : worst) text += fmt::format("{} {:.3f}; ", name, ratio);
  WARN(fmt::format("{} problems, largest error / bound: {}", problems, text));
  CHECK(problems > 50);
  CHECK(worst["B logits"] > 0.5);
}

TEST_CASE("sums that are followed hold, and are never worse than running bounds") {
  std::map<std::string, double> worst;
  double gain = 1;
  for (std::uint64_t seed = 1; seed <= seeds(300); ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 31 + 8);
    paths::Plan plan = any_plan(dice, problem.precision.storage);
    using Kind = scalar::SumOrder::Kind;
    plan.precision.order =
        dice.one_in(2) ? scalar::SumOrder{Kind::sequential, 0, {}} : scalar::SumOrder{Kind::blocked, dice.between(1, 4), {}};
    const tensor::TensorMap inputs =
        inputs::round_inputs(problem, reference::random_inputs(problem, seed), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form));
      const Bounds c = error_bounds(problem, inputs, plan, form, kNames, kOurs);
      const Bounds d = instrumented_bounds(problem, inputs, plan, form, kNames, kOurs);
      check_errors(judge_against(problem, inputs, plan, form, d), worst, "D");
      for (const auto& [name, bounds] : d) {
        Index above = 0;
        for (Index i = 0; i < bounds.size(); ++i) {
          above += bounds[i] <= c.at(name)[i] * (1 + 1e-9) ? 0 : 1;
          if (name == "logits" && bounds[i] > 0 && c.at(name)[i] < kInfinity) gain = std::fmax(gain, c.at(name)[i] / bounds[i]);
        }
        INFO(name);
        CHECK(above == 0);
      }
    }
  }
  WARN(fmt::format("largest error / bound: logits {:.3f}, o {:.3f}; running / followed up to {:.2f}", worst["D logits"], worst["D o"],
                   gain));
  CHECK(worst["D logits"] > 0.9);
  CHECK(gain > 1.3);
}

TEST_CASE("every term of a sum is charged for the roundings that it meets, and no more") {
  using scalar::SumOrder;
  const Rounding fp32(scalar::kFp32, false);
  const auto factors = [&](SumOrder order, bool fused, std::int64_t n) { return term_factors({fp32, order, fused}, n); };
  const auto heights = [&](SumOrder order, bool fused, std::int64_t n) {
    std::vector<long> out;
    for (const double factor : factors(order, fused, n)) out.push_back(std::lround(factor / 0x1p-24));
    return out;
  };
  const SumOrder chain{SumOrder::Kind::sequential, 0, {}}, blocks{SumOrder::Kind::blocked, 3, {}}, pairs{SumOrder::Kind::pairwise, 0, {}};
  CHECK(heights(chain, true, 4) == std::vector<long>{4, 3, 2, 1});
  CHECK(heights(chain, false, 4) == std::vector<long>{4, 4, 3, 2});
  CHECK(heights(blocks, true, 7) == std::vector<long>{5, 4, 3, 5, 4, 3, 2});
  CHECK(heights(blocks, false, 7) == std::vector<long>{5, 5, 4, 5, 5, 4, 2});
  CHECK(heights(pairs, true, 5) == std::vector<long>{4, 4, 4, 4, 4});
  // Powers of two that are lost one by one: only terms that still meet an addition can be.
  const double x[4] = {1, 0x1p-25, 0x1p-25, 0x1p-25}, one[4] = {1, 1, 1, 1};
  const double computed = scalar::dot({scalar::kFp32, true, chain, false}, 4, x, 1, one, 1);
  CHECK(std::fabs(computed - (1 + 0x1.8p-24)) <= 4 * 0x1p-24);
}

TEST_CASE("a followed sum is charged half a unit of each partial sum") {
  const Reduction how{Rounding(scalar::kFp32, false), {scalar::SumOrder::Kind::sequential, 0, {}}, true};
  tensor::Tensor<double> a({1, 4});
  a[0] = 1, a[1] = 1, a[2] = -1.5, a[3] = 0.25;
  const double b[4] = {1, 1, 1, 1};
  // Partial sums 1, 2, 0.5, 0.75.
  CHECK(followed_errors(how, a, b, 1, {})[0] == Approx(0x1p-24 * (1 + 2 + 0.5 + 0.5)).epsilon(1e-6));
  tensor::Tensor<double> spread({1, 1});
  spread[0] = 0.5;  // 1.5, 2.5, 1, 1.25
  CHECK(followed_errors(how, a, b, 1, spread)[0] == Approx(0x1p-24 * (1 + 2 + 1 + 1)).epsilon(1e-6));
  const Reduction narrow{Rounding(scalar::kFp16, false), how.order, true};
  a[1] = 70000;
  CHECK(followed_errors(narrow, a, b, 1, {})[0] == kInfinity);
}

}  // namespace
}  // namespace equinorm::bounds
