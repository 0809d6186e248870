// Arithmetics against each other: what two of them both hold must come out the same.
#include <tbb/global_control.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "paths/load_inputs.hpp"
#include "paths/real_arithmetic.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "paths/support.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::paths {
namespace {

constexpr double kUnit = 0x1p-53;

TEST_CASE("float and double carriers give the same bits for formats up to fp32") {
  int finite = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 7919);
    const Plan plan = random_plan(problem, dice);
    INFO(reference::describe(problem) << "; " << describe(plan));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const RoundedArithmetic<float> narrow(plan);
    const RoundedArithmetic<double> wide(plan);
    for (const PathKind form : kForms) {
      const auto left = run(narrow, form, problem, plan, load_inputs(narrow, problem, inputs));
      const auto right = run(wide, form, problem, plan, load_inputs(wide, problem, inputs));
      CHECK(first_change(left, right) == "");
      const Tensor<float>& o = left.at("o");
      finite += std::all_of(o.data(), o.data() + o.size(), [](float x) { return std::isfinite(x); }) ? 1 : 0;
    }
  }
  REQUIRE(finite > 700);  // most runs are about numbers, not about NaN
}

TEST_CASE("results do not depend on the number of threads") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed);
    const Plan plan = random_plan(problem, dice);
    INFO(reference::describe(problem) << "; " << describe(plan));
    const RoundedArithmetic<float> ar(plan);
    const auto inputs = load_inputs(ar, problem, reference::random_inputs(problem, seed));
    for (const PathKind form : kForms) {
      const auto with_threads = [&](std::size_t threads) {
        const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
        return run(ar, form, problem, plan, inputs);
      };
      REQUIRE(first_change(with_threads(1), with_threads(4)) == "");
    }
  }
}

/// Largest |a - b|, with elements that are not finite counted as infinite differences.
double largest_difference(const Tensor<scalar::Real>& a, const Tensor<double>& b) {
  double largest = 0;
  for (Index i = 0; i < b.size(); ++i) {
    const double difference = std::fabs(scalar::to_double(a[i]) - b[i]);
    largest = difference <= largest ? largest : std::isnan(difference) ? HUGE_VAL : difference;
  }
  return largest;
}

double largest_magnitude(const Tensor<double>& x) {
  double largest = 0;
  for (Index i = 0; i < x.size(); ++i) largest = std::fmax(largest, std::fabs(x[i]));
  return largest;
}

TEST_CASE("real:53 and fp64 agree bit for bit where no function rounds differently") {
  int without_functions = 0;
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 31);
    Plan plan = plan_in(scalar::kFp64, problem);
    plan.precision.ftz = false;
    plan.precision.order = random_plan(problem, dice).precision.order;
    plan.fused = dice.one_in(2);
    INFO(reference::describe(problem) << "; " << describe(plan));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const RealArithmetic real(53, plan);
    const RoundedArithmetic<double> fp64(plan);
    for (const PathKind form : kForms) {
      const auto left = run(real, form, problem, plan, load_inputs(real, problem, inputs));
      const auto right = run(fp64, form, problem, plan, load_inputs(fp64, problem, inputs));
      const auto equal = [&](const char* name) { return !left.has(name) || largest_difference(left.at(name), right.at(name)) == 0; };
      if (!problem.norm.latent_norm) CHECK((equal("q_tilde") && equal("k_deferred")));
      const bool rsqrt_free = problem.norm.scheme == problem::NormScheme::none && !problem.norm.latent_norm;
      if (rsqrt_free) {
        CHECK((equal("q_hat") && equal("k_hat") && equal("q_rope_hat") && equal("k_rope_cached")));
        if (problem.softcap.is_zero()) {
          CHECK(equal("logits"));
          ++without_functions;
        }
      }
      if (problem.norm.latent_norm) continue;
      // One statistic, the same operations, and 1/sqrt with two roundings for one.
      for (const char* name : {"alpha_q", "alpha_k"}) {
        if (left.has(name)) CHECK(largest_difference(left.at(name), right.at(name)) <= 4 * kUnit * largest_magnitude(right.at(name)));
      }
    }
  }
  REQUIRE(without_functions > 30);
}

TEST_CASE("real:53 and fp64 outputs differ by a few units of the rsqrt, exp and log between them") {
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    if (problem.norm.latent_norm) continue;
    Plan plan = plan_in(scalar::kFp64, problem);
    INFO(reference::describe(problem) << "; " << describe(plan));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const RealArithmetic real(53, plan);
    const RoundedArithmetic<double> fp64(plan);
    const PathKind form = PathKind::explicit_form;
    const auto left = run(real, form, problem, plan, load_inputs(real, problem, inputs));
    const auto right = run(fp64, form, problem, plan, load_inputs(fp64, problem, inputs));
    // Every product of the score is off by at most 16 units: two alphas of 2 units each and the roundings after them (rotation: twice the
    // norm).
    const double terms =
        static_cast<double>(problem.key_dim()) * 4 * largest_magnitude(right.at("q_hat")) * largest_magnitude(right.at("k_hat"));
    const double scale = scalar::to_double(scale_value(problem::softmax_scale(problem), 60));
    const double logits =
        kUnit * (16 + 2 * static_cast<double>(problem.key_dim())) * scale * terms + 4 * kUnit * largest_magnitude(right.at("logits"));
    CHECK(largest_difference(left.at("logits"), right.at("logits")) <= logits);
    // p moves by at most 2 |dl| and a few units; an average of T values by that times the largest.
    const double tokens = static_cast<double>(problem.max_context());
    const double lse = logits + kUnit * (8 + tokens) * (1 + largest_magnitude(right.at("lse")) + largest_magnitude(right.at("logits")));
    CHECK(largest_difference(left.at("lse"), right.at("lse")) <= lse);
    CHECK(largest_difference(left.at("p"), right.at("p")) <= 2 * lse + 8 * kUnit);
  }
}

}  // namespace
}  // namespace equinorm::paths
