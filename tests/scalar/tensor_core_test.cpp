#include "scalar/tensor_core.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "scalar/error.hpp"
#include "scalar/tensor_core_oracle.hpp"

using namespace equinorm;
using namespace equinorm::scalar;
using namespace equinorm::scalar::tensor_oracle;

namespace {

constexpr std::uint64_t kSeed = 24611;
using Vector = std::vector<float>;

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

std::string describe(const TensorCore& unit) {
  return std::string(unit.architecture) + " instruction " + std::to_string(static_cast<int>(unit.instruction)) + " input " +
         std::to_string(static_cast<int>(unit.input)) + " rounding " + std::to_string(static_cast<int>(unit.rounding));
}

/// One block with the given factors and no others.
float run(const TensorCore& unit, float c, const Vector& a, const Vector& b) { return tensor_core_block(unit, c, a, b); }
/// Products x 1.
float add(const TensorCore& unit, float c, const Vector& x) { return run(unit, c, x, Vector(x.size(), 1.0f)); }

/// A block of the shape that `kind` names; c included.
struct Case {
  float c;
  Vector a, b;
};
Case random_case(const TensorCore& unit, int kind, Numbers& numbers) {
  const Traits in = traits(unit.input);
  const Traits out = traits(unit.rounding == TensorRounding::e8m13 ? TensorRounding::fp32 : unit.rounding);
  const std::size_t size =
      numbers.below(4) == 0 ? 1 + numbers.below(static_cast<std::uint64_t>(unit.block)) : static_cast<std::size_t>(unit.block);
  Case x{0, Vector(size), Vector(size)};
  const int centre = static_cast<int>(numbers.below(9)) - 4;
  const auto spread = [&](int width) { return centre + static_cast<int>(numbers.below(static_cast<std::uint64_t>(width))) - width / 2; };
  for (std::size_t k = 0; k < size; ++k) {
    if (kind == 0) {  // exponents so close that every bit of the alignment is seen
      x.a[k] = numbers.near(in, spread(4));
      x.b[k] = numbers.near(in, spread(unit.fraction / 2));
    } else if (kind == 1) {
      x.a[k] = numbers.any(in);
      x.b[k] = numbers.any(in);
    } else if (kind == 2 || kind == 3) {  // edges, with infinities and NaNs in one of the kinds
      x.a[k] = numbers.edge(in, kind == 3 && numbers.below(8) == 0);
      x.b[k] = numbers.edge(in, kind == 3 && numbers.below(8) == 0);
    } else {  // pairs that cancel
      x.a[k] = k % 2 == 1 ? x.a[k - 1] : numbers.near(in, spread(12));
      x.b[k] = k % 2 == 1 && numbers.below(4) != 0 ? -x.b[k - 1] : numbers.near(in, spread(6));
    }
  }
  if (kind == 0 || kind == 4) x.c = numbers.below(3) == 0 ? 0 : numbers.near(out, 2 * centre + spread(20) - centre);
  if (kind == 1) x.c = numbers.any(out);
  if (kind == 2 || kind == 3) x.c = numbers.edge(out, kind == 3);
  return x;
}

}  // namespace

TEST_CASE("a block is the rational model, bit for bit: every unit, random and edge operands") {
  CAPTURE(kSeed);
  Numbers numbers(kSeed);
  int compared = 0, differences = 0;
  for (const TensorCore& unit : tensor_cores()) {
    CAPTURE(describe(unit));
    for (int trial = 0; trial < 600; ++trial) {
      const Case x = random_case(unit, trial % 5, numbers);
      const float expected = block(unit, x.c, x.a, x.b);
      const float computed = run(unit, x.c, x.a, x.b);
      ++compared;
      if (bits(expected) != bits(computed)) {
        CAPTURE(trial % 5, x.c, x.a, x.b, expected, computed);
        CHECK(bits(expected) == bits(computed));
        if (++differences > 10) return;
      }
    }
  }
  CHECK(compared >= 30000);
}

TEST_CASE("tf32 factors lose their low bits first") {
  const TensorCore& unit = tensor_core("sm_90", TensorInput::tf32, kFp32);
  const float noise = std::bit_cast<float>(0x3f801fffu);
  CHECK(add(unit, 0, {noise, -noise, noise}) == 1);
  CHECK(add(unit, 0, {std::bit_cast<float>(0x7f800001u)}) == std::numeric_limits<float>::infinity());
  CHECK(bits(add(unit, 0, {std::bit_cast<float>(0x7fc00000u)})) == 0x7fffffffu);
  CHECK(add(unit, 0, {std::numeric_limits<float>::max()}) == 0x1.ffcp127f);
}

TEST_CASE("published discriminating sums") {
  const auto sum = [](const char* architecture) {
    // 2^23 - 2^23 - 0.5 - 0.25 - 0.125, which is -0.875
    return run(tensor_core(architecture, TensorInput::fp16, kFp32), 0x1p23f, {-0x1p12f, -0.5f, -0.25f, -0.125f}, {0x1p11f, 1, 1, 1});
  };
  CHECK(sum("sm_70") == 0);
  for (const char* name : {"sm_75", "sm_80", "sm_86", "sm_89"}) CHECK(sum(name) == -0.5f);
  for (const char* name : {"sm_90", "sm_90:wgmma", "sm_100", "sm_100:tcgen05", "sm_120"}) CHECK(sum(name) == -0.75f);
  CHECK(run(tensor_core("sm_90:wgmma", TensorInput::e5m2, kFp32), 0x1p23f, {-0x1p12f, -0.5f, -0.25f, -0.125f}, {0x1p11f, 1, 1, 1}) == 0);
}

TEST_CASE("e4m3 on Hopper's wgmma sticks at 64, on its mma.sync at no such number") {
  const Vector sixteenths(1 << 16, 0x1p-4f);
  const auto total = [&](const TensorCore& unit) {
    return tensor_core_dot(unit, 0, static_cast<std::int64_t>(sixteenths.size()), sixteenths.data(), 1, sixteenths.data(), 1);
  };
  CHECK(total(tensor_core("sm_90:wgmma", TensorInput::e4m3, kFp32)) == 64);
  CHECK(total(tensor_core("sm_90", TensorInput::e4m3, kFp32)) == 256);
  CHECK(total(tensor_core("sm_100:tcgen05", TensorInput::e4m3, kFp32)) == 256);
}

TEST_CASE("a zero brings its exponent into the alignment") {
  TensorCore unit = tensor_core("sm_80", TensorInput::fp16, kFp16);
  CHECK(unit.zero_exponent == -21);
  CHECK(run(unit, 0, {0x1p-12f, 0x1p-24f, 0}, {0x1p-13f, 0x1p-24f, 1}) == 0);  // 2^-25 is a tie, 2^-48 is cut
  unit.zero_exponent = -29;
  CHECK(run(unit, 0, {0x1p-12f, 0x1p-24f, 0}, {0x1p-13f, 0x1p-24f, 1}) == 0x1p-24f);
}

TEST_CASE("specials, signs of zeros, overflow") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const TensorCore& unit : tensor_cores()) {
    CAPTURE(describe(unit));
    const bool fp16 = unit.rounding == TensorRounding::fp16;
    const std::uint32_t canonical = fp16 ? 0x7fffe000u : 0x7fffffffu;
    CHECK(bits(add(unit, -nan, {1})) == canonical);
    CHECK(bits(add(unit, 0, {1, nan})) == canonical);
    CHECK(add(unit, -inf, {1}) == -inf);
    if (unit.input != TensorInput::e4m3) {
      CHECK(bits(run(unit, 0, {0}, {inf})) == canonical);
      CHECK(bits(add(unit, inf, {-inf})) == canonical);
      CHECK(add(unit, 1, {-inf, -inf}) == -inf);
    } else {
      CHECK_THROWS_AS(add(unit, 1, {-inf}), Error);
    }
    const Vector zeros(static_cast<std::size_t>(unit.block), -0.0f);
    CHECK(bits(add(unit, -0.0f, zeros)) == (unit.halves ? 0u : 0x80000000u));  // the inner blocks of `halves` start from +0
    CHECK(bits(add(unit, 0, zeros)) == 0u);
    CHECK(bits(add(unit, 1, {-1})) == 0u);
    const float largest = fp16 ? 65504.0f : 0x1.fffffep127f;
    if (unit.rounding != TensorRounding::e8m13) CHECK(add(unit, largest, {0}) == largest);
    CHECK(add(unit, fp16 ? 65504.0f : 0x1p127f, {0}) == (fp16 ? 65504.0f : 0x1p127f));
  }
  const TensorCore& half = tensor_core("sm_90", TensorInput::fp16, kFp16);
  CHECK(add(half, 65504, {0x1.ff8p3f}) == 65504);  // 65519.98
  CHECK(add(half, 65504, {16}) == inf);
  const TensorCore& wide = tensor_core("sm_90", TensorInput::bf16, kFp32);
  CHECK(run(wide, 0, {0x1p127f, 0x1p127f}, {1, 1}) == inf);
  CHECK(run(wide, 0x1p127f, {0x1p127f, -0x1p127f}, {0x1p127f, 0x1p127f}) == 0);  // c lies 127 binades below the products
  CHECK(run(wide, 0x1.fffffep127f, {0x1.fep102f}, {1}) == 0x1.fffffep127f);      // cut before it can overflow
}

TEST_CASE("what is refused, and names of units") {
  const TensorCore& unit = tensor_core("sm_80", TensorInput::fp16, kFp32);
  CHECK(unit == *find_tensor_core("sm_80", TensorInput::fp16, kFp32));
  CHECK_THROWS_AS(add(unit, 0, {1 + 0x1p-11f}), Error);
  CHECK_THROWS_AS(add(unit, 0, {65520}), Error);
  CHECK_THROWS_AS(add(unit, 0, {0x1p-25f}), Error);
  CHECK_THROWS_AS(add(unit, 0, Vector(9, 1.0f)), Error);
  CHECK_THROWS_AS(run(unit, 0, {1, 1}, {1}), Error);
  CHECK_THROWS_AS(add(tensor_core("sm_80", TensorInput::fp16, kFp16), 1 + 0x1p-11f, {1}), Error);
  CHECK_THROWS_AS(add(tensor_core("sm_90", TensorInput::e4m3, kFp32), 0, {480}), Error);
  CHECK(find_tensor_core("sm_70", TensorInput::bf16, kFp32) == nullptr);
  CHECK(find_tensor_core("sm_90", TensorInput::bf16, kFp16) == nullptr);
  CHECK_THROWS_WITH(tensor_core("sm_70", TensorInput::bf16, kFp32), Catch::Contains("sm_70") && Catch::Contains("bf16"));
  CHECK_THROWS_WITH(find_tensor_core("sm_20", TensorInput::fp16, kFp32), Catch::Contains("sm_20") && Catch::Contains("sm_90:wgmma"));
  CHECK(tensor_core_architectures() == "sm_70, sm_75, sm_80, sm_86, sm_89, sm_90, sm_90:wgmma, sm_100, sm_100:tcgen05, sm_120");
}
