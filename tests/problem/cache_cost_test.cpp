// Bytes of the cache: the paper's shares come out, and the byte counts are those of the formats.
#include "problem/cache_cost.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

/// r = 512, d_r = 64, bf16: the paper's slice with `groups` groups.
Problem paper(Index groups) {
  Problem problem;
  problem.groups = groups, problem.heads = groups;
  return problem;
}

/// The share as the paper prints it, in hundredths of a per cent.
long hundredths(double share) { return std::lround(share * 1e4); }

TEST_CASE("the paper's shares of the cache") {
  CHECK(hundredths(cache_cost(paper(8), scalar::kBf16).of_latent()) == 156);  // 1.56 % of the latent cache
  CHECK(hundredths(cache_cost(paper(16), scalar::kBf16).of_whole()) == 278);  // 2.8 % of the whole MLA cache
  CHECK(hundredths(cache_cost(paper(16), scalar::kBf16).of_latent()) == 313);
  CHECK(hundredths(cache_cost(paper(128), scalar::kBf16).of_whole()) == 2222);  // 22 %
  CHECK(hundredths(cache_cost(paper(16), scalar::kFp32).of_whole()) == 556);
}

TEST_CASE("bytes of one token") {
  const CacheCost cost = cache_cost(paper(16), scalar::kBf16);
  CHECK(cost.latent == 1024);
  CHECK(cost.rope == 128);
  CHECK(cost.alpha == 32);
  CHECK(cache_cost(paper(16), scalar::kFp32).alpha == 64);
  Problem fp32 = paper(16);
  fp32.precision.storage = scalar::kFp32;
  CHECK(cache_cost(fp32, scalar::kFp64).latent == 2048);
  CHECK(cache_cost(fp32, scalar::kFp64).alpha == 128);
}

TEST_CASE("one statistic over all heads takes one number, no norm none") {
  Problem problem = paper(16);
  problem.norm.scheme = NormScheme::full_width;
  CHECK(cache_cost(problem, scalar::kBf16).alpha == 2);
  problem.norm.scheme = NormScheme::none;
  CHECK(cache_cost(problem, scalar::kBf16).alpha == 0);
}

TEST_CASE("what has no such cache is refused") {
  Problem gqa;
  gqa.attention = Attention::gqa;
  CHECK_THROWS_AS(cache_cost(gqa, scalar::kBf16), Error);
  CHECK_THROWS_AS(cache_cost(paper(16), scalar::Format{scalar::FormatKind::real, 100}), Error);
}

}  // namespace
}  // namespace equinorm::problem
