// The 16-bit conversions of kernel.hpp against the emulated ones: every pattern, and every float that lies near a tie.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>

#include "kernels/kernel.hpp"
#include "scalar/format.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::kernels {
namespace {

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

template <class Widen, class Narrow>
void check_format(const scalar::Format& format, Widen widen, Narrow narrow) {
  std::int64_t wrong = 0;
  for (std::uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const float value = widen(static_cast<std::uint16_t>(pattern));
    if (std::isnan(value)) {
      wrong += std::isnan(widen(narrow(value))) ? 0 : 1;
      continue;
    }
    wrong += narrow(value) == pattern ? 0 : 1;
    // Its neighbours in fp32, the tie with the next number, and the floats around that.
    const float next = widen(static_cast<std::uint16_t>(pattern + 1));
    const float tie = std::isfinite(value) && std::isfinite(next) ? (value + next) / 2 : value;
    for (const float near : {value, tie}) {
      for (const float x : {near, std::nextafterf(near, HUGE_VALF), std::nextafterf(near, -HUGE_VALF)})
        wrong += same(widen(narrow(x)), scalar::round_to(format, x)) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("conversions agree with the emulated formats") {
  check_format(scalar::kFp16, fp16_to_float, float_to_fp16);
  check_format(scalar::kBf16, bf16_to_float, float_to_bf16);
}

TEST_CASE("conversions at the ends of the range") {
  CHECK(float_to_fp16(65519.99F) == 0x7bff);
  CHECK(float_to_fp16(65520.0F) == 0x7c00);
  CHECK(float_to_fp16(-1e30F) == 0xfc00);
  CHECK(float_to_fp16(0x1p-25F) == 0);
  CHECK(float_to_fp16(0x1.000002p-25F) == 1);
  CHECK(float_to_bf16(0x1.ffp127F) == 0x7f80);
  CHECK(float_to_bf16(0x1.fefffep127F) == 0x7f7f);
  CHECK(fp16_to_float(0x7c00) == HUGE_VALF);
  CHECK(fp16_to_float(0x0001) == 0x1p-24F);
}

}  // namespace
}  // namespace equinorm::kernels
