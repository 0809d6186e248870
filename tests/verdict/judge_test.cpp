// Verdicts under a bound: what is within, beyond, undecided, and what never passes.
#include "verdict/judge.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "scalar/error.hpp"

namespace equinorm::verdict {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor<double> tensor_of(const std::vector<double>& values) {
  Tensor<double> result({static_cast<Index>(values.size())});
  std::copy(values.begin(), values.end(), result.data());
  return result;
}

/// Exact values of radius rho, bounds, outputs.
Judgement judge_list(const std::vector<double>& got, const std::vector<double>& exact, const std::vector<double>& bound, double rho = 0,
                     std::vector<double> probable = {}, double miss = 0) {
  const ReferenceTensor reference{tensor_of(exact), tensor_of(std::vector<double>(exact.size())),
                                  tensor_of(std::vector<double>(exact.size(), rho))};
  ElementBound element{tensor_of(bound), probable.empty() ? Tensor<double>{} : tensor_of(probable), miss};
  return judge(tensor_of(got), reference, element);
}

TEST_CASE("within, beyond, and the gap that the enclosure leaves") {
  CHECK(judge_list({1.5, -2}, {1, -2}, {0.5, 0}).verdict == Verdict::within);
  CHECK(judge_list({1.5, -2}, {1, -2}, {0.4999, 0}).verdict == Verdict::violates);
  // The exact value is known to 0.01: an error of 0.5 is surely within 0.51, surely beyond 0.48, and undecided between.
  CHECK(judge_list({1.5}, {1}, {0.52}, 0.01).verdict == Verdict::within);
  CHECK(judge_list({1.5}, {1}, {0.505}, 0.01).verdict == Verdict::undecided);
  CHECK(judge_list({1.5}, {1}, {0.495}, 0.01).verdict == Verdict::undecided);
  CHECK(judge_list({1.5}, {1}, {0.48}, 0.01).verdict == Verdict::violates);
}

TEST_CASE("one element decides, and the judgement says which") {
  std::vector<double> got(1000, 1), exact(1000, 1), bound(1000, 1e-3);
  got[617] += 2e-3;
  const Judgement judgement = judge_list(got, exact, bound);
  CHECK(judgement.verdict == Verdict::violates);
  CHECK(judgement.beyond == 1);
  CHECK(judgement.within == 999);
  CHECK(judgement.worst == std::vector<Index>{617});
  CHECK(judgement.ratio == Approx(2));
  CHECK(judgement.worst_bound == 1e-3);
}

TEST_CASE("what is not finite never passes") {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    CHECK(judge_list({1, bad}, {1, 2}, {1, 1e300}).verdict == Verdict::nonfinite);
    CHECK(judge_list({bad}, {kNan}, {1}).verdict == Verdict::undecided);
  }
  CHECK(judge_list({kNan}, {-kInfinity}, {0}).verdict == Verdict::nonfinite);
  CHECK(judge_list({kInfinity}, {-kInfinity}, {0}).verdict == Verdict::nonfinite);
  CHECK(judge_list({-1e308}, {-kInfinity}, {0}).verdict == Verdict::violates);
  CHECK(judge_list({-kInfinity}, {-kInfinity}, {0}).verdict == Verdict::within);
  // A bound that is no number, or no enclosure, proves nothing.
  CHECK(judge_list({1}, {1}, {kNan}).verdict == Verdict::undecided);
  CHECK(judge_list({1}, {1}, {kInfinity}).verdict == Verdict::undecided);
  CHECK(judge_list({1}, {1}, {1}, kInfinity).verdict == Verdict::undecided);
  CHECK(judge_list({1}, {1}, {1}, kNan).verdict == Verdict::undecided);
  // Even so an element that is beyond its own bound fails.
  CHECK(judge_list({1, 9}, {1, 1}, {kInfinity, 1}).verdict == Verdict::violates);
  CHECK(judge_list({}, {}, {}).verdict == Verdict::undecided);
}

TEST_CASE("suspect needs more improbable elements than chance explains") {
  const std::vector<double> exact(1000, 0), bound(1000, 1), probable(1000, 0.5);
  std::vector<double> got(1000, 0.1);
  for (int i = 0; i < 20; ++i) got[static_cast<std::size_t>(i)] = 0.9;
  CHECK(judge_list(got, exact, bound, 0, probable, 0.02).verdict == Verdict::within);
  CHECK(judge_list(got, exact, bound, 0, probable, 1e-6).verdict == Verdict::suspect);
  CHECK(holds(Verdict::suspect));
}

TEST_CASE("shapes that differ are refused") {
  const ReferenceTensor exact{Tensor<double>({3}), Tensor<double>({3}), {}};
  CHECK_THROWS_AS(judge(Tensor<double>({2}), exact, {Tensor<double>({3}), {}, 0}), Error);
  CHECK_THROWS_AS(judge(Tensor<double>({3}), exact, {Tensor<double>({2}), {}, 0}), Error);
}

}  // namespace
}  // namespace equinorm::verdict
