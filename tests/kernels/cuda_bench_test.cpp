// The decode benchmark goes through its launches (on the fake driver, whose clock says nothing).
#include "kernels/cuda_bench.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "kernels/cuda_bundled.hpp"
#include "scalar/error.hpp"

using namespace equinorm::kernels;

TEST_CASE("the decode benchmark runs, with and without alpha_k") {
  setenv("EQUINORM_CUDA_DRIVER", EQUINORM_FAKE_DRIVER, 1);
  DecodeBench bench;
  CHECK(bench.device() == "virtual GPU");
  CHECK(bench.copy_bandwidth(1 << 16) == Approx(2 * 65536 / 1e-3));
  DecodeShape shape;
  shape.batch = 1, shape.context = 9;
  double bytes = 0;
  using Norm = DecodeShape::Norm;
  for (const Norm norm : {Norm::none, Norm::alpha_bf16, Norm::alpha_fp32}) {
    shape.norm = norm;
    // Two kernels at least; each counts for a millisecond there.
    CHECK(bench.decode_seconds(shape) > 2e-3);
    CHECK(shape.bytes() > bytes);
    bytes = shape.bytes();
  }
  CHECK(bytes == 9 * (1152 + 16 * 4));
}

TEST_CASE("bundled manifests are found, or it is said where they were sought") {
  CHECK_THAT(bundled_cuda("query", "query.bf16"), Catch::EndsWith("/kernels/cuda/query/query.bf16.json"));
  CHECK_THROWS_WITH(bundled_cuda("query", "query.fp8"), Catch::Contains("query/query.fp8 is in none of"));
}
