// The enclosures against the independent decimal reference.
#include "oracle/oracle.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "problem/tensors.hpp"
#include "reference/decimal_reference.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::oracle {
namespace {

using problem::Problem;
using reference::Number;
using tensor::Index;
using tensor::TensorMap;

/// |exact - (value + low)| and |exact - value| against their radii. The reference itself errs by about 1e-55 of the largest term.
bool contained(const EnclosedTensor& got, Index at, const Number& exact, double shrink) {
  if (reference::is_minus_infinity(exact)) {
    return got.value[at] == -std::numeric_limits<double>::infinity() && got.radius[at] == 0 && got.low_radius[at] == 0;
  }
  const Number slack = Number("1e-50");
  const Number value(got.value[at]), low(got.low[at]);
  return std::isfinite(got.radius[at]) && abs(exact - value) <= Number(got.radius[at] * shrink) + slack &&
         abs(exact - (value + low)) <= Number(got.low_radius[at] * shrink) + slack;
}

struct Tally {
  Index compared = 0, outside = 0;
  double widest = 0;  ///< low_radius / max(1, |value|)
};

Tally compare(const Enclosures& got, const reference::Outputs& expected, double shrink = 1) {
  Tally tally;
  for (const auto& [name, tensor] : got) {
    const auto& exact = expected.at(name);
    REQUIRE(exact.shape() == tensor.value.shape());
    for (Index at = 0; at < exact.size(); ++at) {
      if (reference::is_undefined(exact[at])) continue;
      ++tally.compared;
      if (!contained(tensor, at, exact[at], shrink)) {
        if (tally.outside++ == 0 && shrink == 1) {
          UNSCOPED_INFO(name << tensor::index_string(exact.shape(), at) << " exact " << exact[at].str(40) << " value " << tensor.value[at]
                             << " low " << tensor.low[at] << " low_radius " << tensor.low_radius[at]);
        }
      } else if (std::isfinite(tensor.value[at])) {
        tally.widest = std::max(tally.widest, tensor.low_radius[at] / std::max(1.0, std::fabs(tensor.value[at])));
      }
    }
  }
  return tally;
}

TEST_CASE("enclosures contain the decimal reference on random problems") {
  Index compared = 0;
  double widest = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const TensorMap inputs = reference::random_inputs(problem, seed);
    const Enclosures got = enclose(problem, inputs);
    CHECK(got.size() == enclosed_names(problem).size());
    const Tally tally = compare(got, reference::compute(problem, inputs));
    CHECK(tally.outside == 0);
    compared += tally.compared;
    widest = std::max(widest, tally.widest);
  }
  INFO("compared " << compared << ", widest radius 2^" << std::log2(widest));
  CHECK(compared > 50'000);
  CHECK(widest < 0x1p-70);
}

TEST_CASE("the containment check sees radii that are too small") {
  Index outside = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    const TensorMap inputs = reference::random_inputs(problem, seed);
    outside += compare(enclose(problem, inputs), reference::compute(problem, inputs), 0x1p-30).outside;
  }
  CHECK(outside > 100);
}

}  // namespace
}  // namespace equinorm::oracle
