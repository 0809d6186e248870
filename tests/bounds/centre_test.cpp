// Radii are told from what binary64 makes of the exact quantities: its own roundings must be in them, above all where the kernel's are no
// larger, and where many of them go the same way.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "bounds/linear.hpp"
#include "bounds/softmax_sums.hpp"
#include "bounds/softmax_weights.hpp"
#include "reference/dice.hpp"

namespace equinorm::bounds {
namespace {

/// Plans of a small problem; `problem` and `plan` outlive the Setting.
struct Case {
  problem::Problem problem;
  paths::Plan plan;
  Case(scalar::Format format, scalar::SumOrder::Kind order) {
    plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = format;
    plan.precision.stored.fill(format);
    plan.precision.order = {order, 0, {}};
  }
  Setting setting(PathKind form = PathKind::explicit_form) const { return Setting(problem, plan, form); }
};

Scores scores_of(const std::vector<double>& logits) {
  const Index n = static_cast<Index>(logits.size());
  Scores scores{Tensor<double>({1, n}), Tensor<double>({1, n}), Tensor<double>({1, n}), Tensor<double>({1, n}),
                Tensor<std::uint8_t>({1, n})};
  for (Index t = 0; t < n; ++t) scores.logit[t] = logits[static_cast<std::size_t>(t)], scores.live[t] = 1;
  return scores;
}

TEST_CASE("a stored number is where held_near says, for a value that is itself not known") {
  reference::Dice dice(17);
  Index known = 0;
  for (const scalar::Format format : {scalar::kFp16, scalar::kBf16, scalar::kFp32}) {
    const Rounding rounding(format, false);
    for (int n = 0; n < 200000; ++n) {
      const int exponent = static_cast<int>(dice.between(-30, 10));
      const double value = std::ldexp(dice.small_number(), exponent), ulp = 2 * rounding.half_ulp(std::fabs(value));
      const double spread = dice.one_in(4) ? 0 : ulp * std::ldexp(std::fabs(dice.small_number()), static_cast<int>(dice.between(-30, 1)));
      const Rounding::Held held = rounding.held_near(value, spread);
      // The number meant, and what is stored, as far apart as they may be.
      const double z = value + 2 * spread * (dice.one_in(2) ? 1 : -1) * (dice.one_in(2) ? 1 : 0.5);
      const double stored = scalar::round_to(format, z);
      if (held.known) {
        ++known;
        REQUIRE(std::fabs(stored - held.middle) <= held.radius);
      } else if (std::fabs(z - value) <= spread) {
        REQUIRE(std::fabs(stored - value) <= held.radius * (1 + 0x1p-40));
      }
    }
  }
  CHECK(known > 100000);
}

TEST_CASE("the radius of a sum holds binary64's own roundings, although the kernel adds in pairs") {
  const Case made(scalar::kFp64, scalar::SumOrder::Kind::pairwise);
  const Setting at = made.setting();
  const Index n = 512;
  Vectors x = make_vectors(1, n);
  const std::vector<double> ones(static_cast<std::size_t>(n), 1);
  // Every addition above 256 loses almost half an ulp, always to the same side.
  for (Index i = 0; i < n; ++i) x.value[i] = 1 + 0x1.fp-46;
  const Vectors sum = multiply_bounded(at, x, ones.data(), 1);
  const double exact = static_cast<double>(n) * (1 + 0x1.fp-46), lost = std::fabs(sum.value[0] - exact);
  CHECK(sum.radius[0] >= lost);
  CHECK(sum.radius[0] >= 512 * 0x1p-53 * exact);
}

TEST_CASE("the radii of p and lse hold what binary64 loses in a long sum") {
  const Case made(scalar::kFp64, scalar::SumOrder::Kind::pairwise);
  const Setting at = made.setting();
  const Index n = 131072;
  // A weight whose last bits are lost in every addition to a sum above 2^15, always to the same side.
  const double logit = std::log(0.5 + 0x1.ep-39);
  std::vector<double> logits(static_cast<std::size_t>(n), logit);
  logits[0] = 0;
  const RowWeights row = make_weights(at, scores_of(logits), 0, nullptr);
  const long double weight = std::exp(static_cast<long double>(logit)), sum = 1 + static_cast<long double>(n - 1) * weight;
  const auto error = static_cast<double>(std::fabs(static_cast<long double>(row.p[1]) - weight / sum));
  INFO("p is off by " << error / row.p[1] * 0x1p45 << " 2^-45 of itself");
  CHECK(row.p_radius[1] >= error);
  CHECK(row.lse_radius >= static_cast<double>(std::fabs(static_cast<long double>(row.lse) - std::log(sum))));
  CHECK(row.p_radius[1] >= 131072 * 0x1p-53 * row.p[1]);
}

TEST_CASE("the closed form of a weight's shift is not below any weight's own") {
  reference::Dice dice(23);
  for (int n = 0; n < 400; ++n) {
    Case made(dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32}), scalar::SumOrder::Kind::any);
    const Index tokens = dice.between(1, 40);
    made.plan.precision.splits = static_cast<decltype(made.plan.precision.splits)>(dice.between(1, 4));
    made.plan.precision.tile = static_cast<decltype(made.plan.precision.tile)>(dice.between(0, 8));
    if (dice.one_in(2)) made.plan.combine = paths::Combine::lse;
    FunctionErrors functions;
    functions.base_two = dice.one_in(2);
    const Setting at(made.problem, made.plan, PathKind::explicit_form, functions);
    std::vector<double> logits;
    double largest = 0;
    for (Index t = 0; t < tokens; ++t) logits.push_back(20 * dice.small_number()), largest = std::fmax(largest, std::fabs(logits.back()));
    const RowWeights row = make_weights(at, scores_of(logits), 0, nullptr);
    const Tiling tiling(at, tokens);
    const double closed = largest_shift(at, tokens, tiling.tiles - 1 + tiling.splits - 1, largest);
    for (const double shift : row.shift) REQUIRE(shift <= closed * (1 + 0x1p-30));
  }
}

}  // namespace
}  // namespace equinorm::bounds
