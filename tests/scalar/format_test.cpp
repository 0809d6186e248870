#include "scalar/format.hpp"

#include <Eigen/Core>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "scalar/error.hpp"
#include "scalar/simd.hpp"
#include "scalar/sum_order.hpp"

using namespace equinorm;
using namespace equinorm::scalar;

namespace {

template <class T>
void check_limits(Format format) {
  using Reference = std::numeric_limits<T>;
  const FormatLimits range = limits(format);
  CHECK(format.precision == int{Reference::digits});
  CHECK(range.smallest_normal == static_cast<double>(Reference::min()));
  CHECK(range.smallest_subnormal == static_cast<double>(Reference::denorm_min()));
  CHECK(range.largest == static_cast<double>(Reference::max()));
  CHECK(std::ldexp(1.0, range.min_exponent) == range.smallest_normal);
  CHECK(std::ldexp(2.0 - std::ldexp(1.0, 1 - format.precision), range.max_exponent) == range.largest);
}

}  // namespace

TEST_CASE("format names round-trip") {
  for (const char* name : {"fp16", "bf16", "fp32", "fp64", "real:8", "real:113", "real:65536"})
    CHECK(to_string(parse_format(name)) == name);
  CHECK(parse_format("bf16") == kBf16);
  CHECK(parse_format("real:256") == Format{FormatKind::real, 256});
  CHECK_FALSE(parse_format("real:53") == kFp64);
}

TEST_CASE("unknown format names are refused with what is allowed") {
  for (const char* name : {"", "fp8", "FP16", "fp16 ", "real", "real:", "real:7", "real:65537", "real:12x", "real: 12", "real:+12",
                           "real:-12", "real:99999999999"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(parse_format(name), Error);
    CHECK_THROWS_WITH(parse_format(name), Catch::Contains("fp16, bf16, fp32, fp64 and real:BITS"));
  }
}

TEST_CASE("format limits agree with the C++ types and Eigen's") {
  check_limits<Eigen::half>(kFp16);
  check_limits<Eigen::bfloat16>(kBf16);
  check_limits<float>(kFp32);
  check_limits<double>(kFp64);
  CHECK_THROWS_AS(limits(parse_format("real:64")), Error);
}

TEST_CASE("summation orders round-trip") {
  for (const char* name : {"any", "sequential", "pairwise", "blocked:1", "blocked:128", "tensor-core:sm_90"})
    CHECK(to_string(parse_order(name)) == name);
  CHECK(parse_order("blocked:7").block == 7);
  CHECK(parse_order("tensor-core:sm_80").architecture == "sm_80");
  CHECK(parse_order("any") == SumOrder{});
}

TEST_CASE("unknown summation orders are refused with what is allowed") {
  for (const char* name :
       {"", "Any", "blocked", "blocked:", "blocked:0", "blocked:-1", "blocked:1.5", "blocked:1 ", "tensor-core", "tensor-core:", "tree"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(parse_order(name), Catch::Contains("any, sequential, pairwise, blocked:N (N >= 1) and tensor-core:ARCH"));
  }
}

TEST_CASE("a SIMD level can be forced for a while") {
  const SimdLevel before = simd_level();
  {
    const ForcedSimdLevel forced(SimdLevel::portable);
    CHECK(simd_level() == SimdLevel::portable);
  }
  CHECK(simd_level() == before);
  if (detected_simd_level() < SimdLevel::avx512) CHECK_THROWS_AS(ForcedSimdLevel(SimdLevel::avx512), Error);
}
