// The enclosures against the independent decimal reference.
#include "oracle/oracle.hpp"

#include <tbb/task_arena.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "inputs/generate.hpp"
#include "oracle/matrix_unit.hpp"
#include "problem/builtin.hpp"
#include "problem/tensors.hpp"
#include "reference/decimal_reference.hpp"
#include "reference/random_problem.hpp"
#include "scalar/simd.hpp"

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
    CHECK(got.size() == problem::output_tensors(problem).size());
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

TEST_CASE("every input family is enclosed") {
  for (const auto& [kind, description] : inputs::input_families()) {
    if (kind == "file") continue;
    for (const scalar::Format format : {scalar::kBf16, scalar::kFp32}) {
      Problem problem = *problem::find_builtin("paper-tp8");
      problem.context = {37};
      problem.heads = problem.groups = 2;
      problem.queries = 2;
      problem.latent = 24;
      problem.content_dim = problem.value_dim = 8;
      problem.rope_dim = 4;
      problem.inputs.kind = kind;
      problem.precision.storage = format;
      INFO(kind << " " << scalar::to_string(format));
      const TensorMap inputs = inputs::generate_inputs(problem);
      const Tally tally = compare(enclose(problem, inputs), reference::compute(problem, inputs));
      CHECK(tally.outside == 0);
    }
  }
}

bool same(const EnclosedTensor& a, const EnclosedTensor& b) {
  const auto equal = [](const tensor::Tensor<double>& x, const tensor::Tensor<double>& y) {
    return std::equal(x.data(), x.data() + x.size(), y.data(), y.data() + y.size());
  };
  return equal(a.value, b.value) && equal(a.low, b.low) && equal(a.radius, b.radius) && equal(a.low_radius, b.low_radius);
}

/// Several chunks, ragged, queries that see part of the keys.
Problem several_chunks() {
  Problem problem = *problem::find_builtin("paper-tp8");
  problem.batch = 2;
  problem.context = {1000, 417};
  problem.heads = problem.groups = 2;
  problem.queries = 3;
  problem.latent = 64;
  problem.content_dim = problem.value_dim = 16;
  problem.rope_dim = 8;
  return problem;
}

TEST_CASE("the bits do not depend on threads or on the SIMD level") {
  const Problem problem = several_chunks();
  const TensorMap inputs = inputs::generate_inputs(problem);
  const Enclosures first = enclose(problem, inputs);
  for (int level = 0; level <= static_cast<int>(scalar::detected_simd_level()); ++level) {
    for (const int threads : {1, 4}) {
      const scalar::ForcedSimdLevel forced(static_cast<scalar::SimdLevel>(level));
      tbb::task_arena arena(threads);
      Enclosures again;
      arena.execute([&] { again = enclose(problem, inputs); });
      INFO("level " << level << " threads " << threads);
      for (const auto& [name, tensor] : first) {
        INFO(name);
        CHECK(same(tensor, again.at(name)));
      }
    }
  }
}

void check_same(const Enclosures& a, const Enclosures& b) {
  CHECK(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    INFO(name);
    CHECK(same(tensor, b.at(name)));
  }
}

TEST_CASE("the bits do not depend on the processor's matrix unit") {
  if (matrix_unit() == nullptr) WARN("no matrix unit here: nothing is compared");
  for (const scalar::Format format : {scalar::kBf16, scalar::kFp16, scalar::kFp32}) {
    Problem problem = several_chunks();
    problem.precision.storage = format;
    for (const char* kind : {"normal", "massive-channels"}) {
      problem.inputs.kind = kind;
      INFO(kind << " " << scalar::to_string(format));
      const TensorMap inputs = inputs::generate_inputs(problem);
      const Enclosures with = enclose(problem, inputs);
      const WithoutMatrixUnit without;
      check_same(with, enclose(problem, inputs));
    }
  }
}

TEST_CASE("statistics kept from an earlier call change no bit") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    const TensorMap inputs = reference::random_inputs(problem, seed);
    const KeyStatistics statistics(problem, inputs);
    check_same(enclose(problem, inputs), enclose(problem, inputs, {}, &statistics));
  }
  // Other queries on the same keys; the first problem has one pass over the keys, the second several.
  Problem problem = several_chunks();
  const TensorMap inputs = inputs::generate_inputs(problem);
  const KeyStatistics statistics(problem, inputs);
  problem.queries = 200;
  problem.latent = 64;
  problem.heads = 64;
  const TensorMap more = inputs::generate_inputs(problem);
  TensorMap mixed = more;
  for (const char* name : {"c", "k_rope", "w_k"}) mixed[name] = inputs.at(name);
  check_same(enclose(problem, mixed, {"alpha_k", "lse", "o"}), enclose(problem, mixed, {"alpha_k", "lse", "o"}, &statistics));
  problem.context = {1000};
  CHECK_THROWS_AS(enclose(problem, inputs::generate_inputs(problem), {}, &statistics), Error);
}

TEST_CASE("radii on ordinary bf16 data are below 2^-78 of the largest u of the head") {
  const Problem problem = several_chunks();
  const Enclosures got = enclose(problem, inputs::generate_inputs(problem), {"u"});
  REQUIRE(got.size() == 1);
  const EnclosedTensor& u = got.at("u");
  for (Index row = 0; row < u.value.size(); row += problem.latent) {
    double largest = 0, radius = 0;
    for (Index m = 0; m < problem.latent; ++m) {
      largest = std::max(largest, std::fabs(u.value[row + m]));
      radius = std::max(radius, u.low_radius[row + m]);
    }
    INFO("row " << row << ": 2^" << std::log2(radius / largest));
    CHECK(radius <= 0x1p-78 * largest);
  }
}

TEST_CASE("wrong requests are refused") {
  const Problem problem = several_chunks();
  TensorMap inputs = inputs::generate_inputs(problem);
  CHECK_THROWS_AS(enclose(problem, inputs, {"k_hatt"}), Error);
  inputs.erase("w_v");
  CHECK_THROWS_AS(enclose(problem, inputs), Error);
}

}  // namespace
}  // namespace equinorm::oracle
