// The tensor core model against the published facts, and against exact arithmetic.
#include "vgpu/matrix.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "vgpu/vgpu_support.hpp"

using namespace equinorm::vgpu;

namespace {

std::uint32_t bits_of(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, 4);
  return bits;
}
float float_of(std::uint32_t bits) {
  float x = 0;
  std::memcpy(&x, &bits, 4);
  return x;
}
/// bf16 has the range for every value used here.
std::vector<std::uint32_t> bf16(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float x : values) {
    REQUIRE((bits_of(x) & 0xffff) == 0);
    bits.push_back(bits_of(x) >> 16);
  }
  return bits;
}
/// sum of products 1 * x_i + c by the model of a target.
float dot(int target, const std::vector<float>& x, float c) {
  const std::vector<std::uint32_t> ones(x.size(), 0x3f80);
  return float_of(fused_dot(matrix_model(target, MatrixInput::bf16, false), MatrixInput::bf16, ones, bf16(x), bits_of(c)));
}

}  // namespace

TEST_CASE("the published discriminating sum: 2^23 - 2^23 - 0.5 - 0.25 - 0.125") {
  const std::vector<float> x{-0x1p23f, -0.5f, -0.25f, -0.125f};
  CHECK(dot(70, x, 0x1p23f) == 0.0f);
  CHECK(dot(75, x, 0x1p23f) == -0.5f);
  CHECK(dot(80, x, 0x1p23f) == -0.5f);
  CHECK(dot(89, x, 0x1p23f) == -0.5f);
  CHECK(dot(90, x, 0x1p23f) == -0.75f);
  CHECK(dot(100, x, 0x1p23f) == -0.75f);
  // Hopper's fp8 wgmma keeps 13 bits. 2^23 = 2^15 2^8 in e5m2.
  const MatrixModel fp8 = matrix_model(90, MatrixInput::e5m2, false);
  CHECK(fp8.fraction_bits == 13);
  CHECK(fp8.terms == 32);
  const std::vector<std::uint32_t> a{30u << 2, 15u << 2, 15u << 2, 15u << 2},
      b{0x80u | 23u << 2, 0x80u | 14u << 2, 0x80u | 13u << 2, 0x80u | 12u << 2};
  CHECK(float_of(fused_dot(fp8, MatrixInput::e5m2, a, b, bits_of(0x1p23f))) == 0.0f);
}

TEST_CASE("an fp8 accumulation on Hopper sticks at 64, as published") {
  const MatrixModel model = matrix_model(90, MatrixInput::e4m3, false);
  const std::vector<std::uint32_t> sixteenth(32, 3u << 3);  // 2^(3-7)
  std::uint32_t c = 0;
  for (int i = 0; i < 2000; ++i) c = fused_dot(model, MatrixInput::e4m3, sixteenth, sixteenth, c);
  CHECK(float_of(c) == 64.0f);
}

TEST_CASE("a zero addend takes part in the alignment") {
  // fp16: 2^-25 = 2^-12 2^-13, 2^-48 = 2^-24 2^-24 and 0 times 1, F = 24, to fp16: 0 if the zero counts as 2^-21, 2^-24 if as 2^-29.
  const std::vector<std::uint32_t> a{0x0c00, 0x0001, 0x0000}, b{0x0800, 0x0001, 0x3c00};
  MatrixModel model{8, 24, MatrixOutput::fp16_nearest, -21};
  CHECK(fused_dot(model, MatrixInput::fp16, a, b, 0) == 0);
  model.zero_exponent = -29;
  CHECK(fused_dot(model, MatrixInput::fp16, a, b, 0) == 1);
}

TEST_CASE("the worst truncation: c = 1 and products just under 2^-F") {
  const float below = -(0x1p-24f - 0x1p-32f);  // 8 significant bits
  CHECK(dot(80, std::vector<float>(8, below), 1.0f) == 1.0f);
  CHECK(dot(90, std::vector<float>(16, -(0x1p-25f - 0x1p-33f)), 1.0f) == 1.0f);
  // Rounding toward zero, not to nearest.
  CHECK(dot(80, {0x1p-24f + 0x1p-25f}, 1.0f) == 1.0f);
  CHECK(dot(90, {-0x1p-25f}, 1.0f) == std::nextafter(1.0f, 0.0f));
}

TEST_CASE("special values") {
  const float infinity = HUGE_VALF;
  CHECK(dot(80, {infinity}, 1.0f) == infinity);
  CHECK(dot(80, {-infinity}, 1.0f) == -infinity);
  CHECK(bits_of(dot(80, {infinity, -infinity}, 1.0f)) == 0x7fffffffu);
  CHECK(bits_of(dot(80, {infinity}, -infinity)) == 0x7fffffffu);
  CHECK(bits_of(dot(80, {float_of(0x7fc00000)}, 1.0f)) == 0x7fffffffu);
  CHECK(dot(80, {0x1.fep127f, 0x1.fep127f}, 0.0f) == infinity);  // overflow is infinite though rounding is toward zero
  CHECK(dot(80, {0x1.fep127f, 0x1.fep127f, -0x1.fep127f, -0x1.fep127f}, 3.0f) == 0.0f);  // and not in between: 3 is cut
  const std::vector<std::uint32_t> zero(8, 0x8000), one(8, 0x3f80);
  CHECK(fused_dot(matrix_model(80, MatrixInput::bf16, false), MatrixInput::bf16, zero, one, 0x80000000u) == 0x80000000u);
  CHECK(fused_dot(matrix_model(80, MatrixInput::bf16, false), MatrixInput::bf16, zero, one, 0) == 0);
}

TEST_CASE("a block is within its bound of the exact sum, and exact where nothing is cut") {
  const std::uint32_t seed = 4711;
  std::mt19937 random(seed);
  INFO("seed " << seed);
  for (const int target : {70, 80, 90}) {
    const MatrixModel model = matrix_model(target, MatrixInput::bf16, false);
    int exact = 0;
    for (int round = 0; round < 20000; ++round) {
      std::vector<float> x;
      const int spread = round % 3 == 0 ? 1 : 30;
      __float128 sum = 0, largest = 0, size = 0;
      const auto draw = [&] {
        return std::ldexp(static_cast<float>(128 + random() % 128) * (random() % 2 != 0 ? 1.0f : -1.0f),
                          static_cast<int>(random() % static_cast<unsigned>(spread)) - 7);
      };
      for (int i = 0; i < model.terms; ++i) x.push_back(draw());
      const float c = draw();
      for (const float one : x) sum += one, size += std::fabs(one), largest = std::max<__float128>(largest, std::fabs(one));
      sum += c, size += std::fabs(c), largest = std::max<__float128>(largest, std::fabs(c));
      const auto got = static_cast<__float128>(dot(target, x, c));
      const __float128 error = got > sum ? got - sum : sum - got;
      // L 2^-F W + 2^-23 |S|, |S| <= size.
      const __float128 bound = model.terms * std::ldexp(1.0, -model.fraction_bits) * largest + 0x1p-23 * size;
      REQUIRE(error <= bound);
      if (spread == 1) REQUIRE(error == 0);
      exact += error == 0;
    }
    CHECK(exact > 1000);
  }
}

TEST_CASE("mma.sync gives what the model gives for every element, special values and subnormals included") {
  using namespace vgpu_tests;
  struct Case {
    const char* opcode;
    MatrixInput input;
    int depth;
    bool fp16_output;
  };
  const Case cases[] = {{"m16n8k16.row.col.f32.bf16.bf16.f32", MatrixInput::bf16, 16, false},
                        {"m16n8k16.row.col.f32.f16.f16.f32", MatrixInput::fp16, 16, false},
                        {"m16n8k8.row.col.f32.bf16.bf16.f32", MatrixInput::bf16, 8, false},
                        {"m16n8k8.row.col.f32.f16.f16.f32", MatrixInput::fp16, 8, false},
                        {"m16n8k16.row.col.f16.f16.f16.f16", MatrixInput::fp16, 16, true},
                        {"m16n8k8.row.col.f32.tf32.tf32.f32", MatrixInput::tf32, 8, false},
                        {"m16n8k8.row.col.f16.f16.f16.f16", MatrixInput::fp16, 8, true},
                        {"m16n8k4.row.col.f32.tf32.tf32.f32", MatrixInput::tf32, 4, false}};
  std::mt19937 random(99);
  for (const Case& one : cases)
    for (const int target : {80, 90})
      for (int round = 0; round < 12; ++round) {
        const int per = one.input == MatrixInput::tf32 ? 1 : 2, step = 4 * per;
        const int a_count = 16 * one.depth / (32 * per), b_count = a_count / 2, c_count = one.fp16_output ? 2 : 4;
        const auto draw = [&]() -> std::uint32_t {
          if (round < 4) return static_cast<std::uint32_t>(random());  // any bits
          const float x = std::ldexp(static_cast<float>(random() % 512) - 256.0f, static_cast<int>(random() % 8) - 10);
          if (one.input == MatrixInput::tf32) return bits_of(x);
          if (one.input == MatrixInput::bf16) return to_bf16(x) | static_cast<std::uint32_t>(to_bf16(-x * 0.75f)) << 16;
          return static_cast<std::uint32_t>(0x3000 + random() % 0x1400) | (0xb000u + static_cast<std::uint32_t>(random() % 0x1400)) << 16;
        };
        std::vector<std::uint32_t> a, c;
        for (int i = 0; i < 32 * (a_count + b_count); ++i) a.push_back(draw());
        for (int i = 0; i < 32 * c_count; ++i)
          c.push_back(one.fp16_output ? draw()
                      : round < 2     ? static_cast<std::uint32_t>(random())
                                      : bits_of(static_cast<float>(random() % 1000) / 7.0f));
        std::string loads, list_a, list_b, list_c, list_d, stores;
        const auto load = [&](std::string& list, const char* base, int i, int number) {
          loads += "ld.global.b32 %r" + std::to_string(number) + ", [" + base + "+" + std::to_string(128 * i) + "];\n";
          list += (list.empty() ? "%r" : ",%r") + std::to_string(number);
        };
        for (int i = 0; i < a_count; ++i) load(list_a, "%rd10", i, 2 + i);
        for (int i = 0; i < b_count; ++i) load(list_b, "%rd10", a_count + i, 8 + i);
        for (int i = 0; i < c_count; ++i) {
          if (one.fp16_output)
            load(list_c, "%rd11", i, 12 + i);
          else
            loads += "ld.global.f32 %f" + std::to_string(i) + ", [%rd11+" + std::to_string(128 * i) + "];\n",
                list_c += (i == 0 ? "%f" : ",%f") + std::to_string(i);
          const std::string d = (one.fp16_output ? "%r" : "%f") + std::to_string(one.fp16_output ? 16 + i : 8 + i);
          list_d += (i == 0 ? "" : ",") + d;
          stores += "st.global.b32 [%rd12+" + std::to_string(128 * i) + "], " + d + ";\n";
        }
        Options options;
        options.target = target;
        const Ran ran =
            run_body("add.s64 %rd10, %rd1, %rd9;\nadd.s64 %rd11, %rd2, %rd9;\nadd.s64 %rd12, %rd3, %rd9;\n" + loads + "mma.sync.aligned." +
                         one.opcode + " {" + list_d + "}, {" + list_a + "}, {" + list_b + "}, {" + list_c + "};\n" + stores,
                     a, c, static_cast<std::size_t>(32 * c_count), 32, options);
        REQUIRE(ran.report.findings.empty());
        const auto number = [&](std::size_t reg, int lane, int half) {
          const std::uint32_t word = a[32 * reg + static_cast<std::size_t>(lane)];
          return per == 1 ? word : word >> (16 * half) & 0xffff;
        };
        for (int m = 0; m < 16; ++m)
          for (int n = 0; n < 8; ++n) {
            std::vector<std::uint32_t> row, column;
            for (int k = 0; k < one.depth; ++k) {
              const int lane_k = k % step / per, half = k % per, group = k / step;
              row.push_back(number(static_cast<std::size_t>(m / 8 + 2 * group), m % 8 * 4 + lane_k, half));
              column.push_back(number(static_cast<std::size_t>(a_count + group), n * 4 + lane_k, half));
            }
            const auto lane = static_cast<std::size_t>(m % 8 * 4 + n / 2);
            const auto element = [&](const std::vector<std::uint32_t>& from) {
              return one.fp16_output ? from[32 * static_cast<std::size_t>(m / 8) + lane] >> (16 * (n % 2)) & 0xffff
                                     : from[32 * static_cast<std::size_t>(m / 8 * 2 + n % 2) + lane];
            };
            INFO(one.opcode << " sm_" << target << " round " << round << " at " << m << "," << n);
            REQUIRE(element(ran.out) == fused_dot(matrix_model(target, one.input, one.fp16_output), one.input, row, column, element(c)));
          }
      }
}
