// Both forms against the independent decimal reference, on random problems of every variant.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "paths/ball_arithmetic.hpp"
#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "reference/decimal_reference.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::paths {
namespace {

using reference::Number;

constexpr int kBits = 192;

/// A plan that changes with the seed: tiles, splits, either combine form, alpha_q folded or not.
Plan plan_of(const problem::Problem& problem, std::uint64_t seed) {
  Plan plan;
  plan.precision = problem.precision;
  plan.fold_alpha_q = seed % 2 == 0;
  plan.combine = seed % 3 == 0 ? Combine::lse : Combine::unnormalised;
  plan.precision.splits = 1 + static_cast<Index>(seed % 4);
  plan.precision.tile = static_cast<Index>(seed % 5);
  return plan;
}

/// The decimal number as a rational, exact to its own 60 digits.
scalar::Rational rational(const Number& x) { return scalar::Decimal(x.str(60, std::ios_base::scientific)).value(); }

/// Whether `ball`, widened by 1e-45 max(1, |x|), contains x, and is itself narrow.
bool agrees(const scalar::Ball& ball, const Number& x) {
  const scalar::Rational exact = rational(x);
  const scalar::Rational magnitude = abs(exact) > 1 ? scalar::Rational(abs(exact)) : scalar::Rational(1);
  const scalar::Rational slack = magnitude * scalar::Decimal("1e-45").value();
  const scalar::Ball low = scalar::Ball::from_rational(exact - slack, 256), high = scalar::Ball::from_rational(exact + slack, 256);
  return scalar::is_finite(ball) && scalar::certainly_less(low, ball) == Truth::yes && scalar::certainly_less(ball, high) == Truth::yes;
}

void check(const problem::Problem& problem, PathKind form, const PathOutput<scalar::Ball>& out, const reference::Outputs& expected) {
  for (const auto& [name, values] : out.tensors) {
    INFO("tensor " << name << ", form " << (form == PathKind::explicit_form ? "explicit" : "absorbed"));
    const Tensor<Number>& exact = expected.at(name);
    REQUIRE(exact.shape() == values.shape());
    Index compared = 0;
    for (Index i = 0; i < values.size(); ++i) {
      if (reference::is_undefined(exact[i])) continue;
      INFO("at " << tensor::index_string(values.shape(), i) << ": exact " << exact[i].str(20) << ", got "
                 << scalar::midpoint_double(values[i]));
      const bool live = name == "logits" ? out.live[(i / (problem.heads * problem.queries * problem.max_context()) * problem.queries +
                                                     i / problem.max_context() % problem.queries) *
                                                        problem.max_context() +
                                                    i % problem.max_context()] != 0
                        : name == "lse"  ? out.lse_live[i] != 0
                                         : true;
      REQUIRE(live == !reference::is_minus_infinity(exact[i]));
      if (live) REQUIRE(agrees(values[i], exact[i]));
      ++compared;
    }
    if (name == "o") REQUIRE(compared > 0);
  }
}

TEST_CASE("both forms agree with the decimal reference on random problems") {
  for (std::uint64_t seed = 1; seed <= 160; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const reference::Outputs expected = reference::compute(problem, inputs);
    const BallArithmetic ar(kBits);
    const auto values = load_inputs(ar, problem, inputs);
    const auto formula = make_formula<BallArithmetic>("");
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      check(problem, form, run_path(ar, form, problem, plan_of(problem, seed), values, *formula), expected);
    }
  }
}

}  // namespace
}  // namespace equinorm::paths
