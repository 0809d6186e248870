// mma.sync against the block-by-block integer model of scalar/tensor_core.hpp, whose own tests hold the published facts.
#include "vgpu/matrix.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "scalar/rounding.hpp"
#include "vgpu/vgpu_support.hpp"

using namespace equinorm::vgpu;
using equinorm::scalar::TensorCore;
using equinorm::scalar::TensorInput;

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
float number_of(TensorInput input, std::uint32_t bits) {
  if (input == TensorInput::tf32) return float_of(bits);
  const auto half = static_cast<std::uint16_t>(bits);
  return input == TensorInput::bf16 ? equinorm::scalar::bf16_value(half) : equinorm::scalar::fp16_value(half);
}

}  // namespace

TEST_CASE("the unit of a target is that of the newest known architecture up to it") {
  const auto architecture = [](int target, TensorInput input, bool fp16_output) {
    const TensorCore* unit = matrix_unit(target, input, fp16_output);
    return unit == nullptr ? std::string("none") : std::string(unit->architecture) + " L" + std::to_string(unit->block);
  };
  CHECK(architecture(80, TensorInput::bf16, false) == "sm_80 L8");
  CHECK(architecture(87, TensorInput::fp16, true) == "sm_86 L8");
  CHECK(architecture(90, TensorInput::tf32, false) == "sm_90 L8");
  CHECK(architecture(103, TensorInput::bf16, false) == "sm_100 L16");
  CHECK(architecture(121, TensorInput::bf16, false) == "sm_120 L16");
  CHECK(architecture(75, TensorInput::fp16, false) == "sm_75 L8");
  CHECK(architecture(75, TensorInput::bf16, false) == "none");
  CHECK(architecture(60, TensorInput::fp16, false) == "none");
  // wgmma and tcgen05 have units of their own, which mma.sync does not use.
  CHECK(matrix_unit(90, TensorInput::fp16, true)->zero_exponent == -22);
}

TEST_CASE("an mma for which the target has no unit is refused by line") {
  const std::string body =
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r2,%r3,%r4,%r5}, {%r6,%r7}, {%f4,%f5,%f6,%f7};";
  Options options;
  options.target = 75;
  CHECK_THROWS_WITH(vgpu_tests::run_body(body, {}, {}, 1, 32, options),
                    Catch::Contains("test.ptx:18: sm_75 has no tensor core for this mma"));
}

TEST_CASE("mma.sync gives what the model gives for every element, special values and subnormals included") {
  using namespace vgpu_tests;
  struct Case {
    const char* opcode;
    TensorInput input;
    int depth;
    bool fp16_output;
  };
  const Case cases[] = {{"m16n8k16.row.col.f32.bf16.bf16.f32", TensorInput::bf16, 16, false},
                        {"m16n8k16.row.col.f32.f16.f16.f32", TensorInput::fp16, 16, false},
                        {"m16n8k8.row.col.f32.bf16.bf16.f32", TensorInput::bf16, 8, false},
                        {"m16n8k8.row.col.f32.f16.f16.f32", TensorInput::fp16, 8, false},
                        {"m16n8k16.row.col.f16.f16.f16.f16", TensorInput::fp16, 16, true},
                        {"m16n8k8.row.col.f32.tf32.tf32.f32", TensorInput::tf32, 8, false},
                        {"m16n8k8.row.col.f16.f16.f16.f16", TensorInput::fp16, 8, true},
                        {"m16n8k4.row.col.f32.tf32.tf32.f32", TensorInput::tf32, 4, false}};
  std::mt19937 random(99);
  for (const Case& one : cases)
    for (const int target : {80, 90})
      for (int round = 0; round < 12; ++round) {
        const int per = one.input == TensorInput::tf32 ? 1 : 2, step = 4 * per;
        const int a_count = 16 * one.depth / (32 * per), b_count = a_count / 2, c_count = one.fp16_output ? 2 : 4;
        const auto draw = [&]() -> std::uint32_t {
          if (round < 4) return static_cast<std::uint32_t>(random());  // any bits
          const float x = std::ldexp(static_cast<float>(random() % 512) - 256.0f, static_cast<int>(random() % 8) - 10);
          if (one.input == TensorInput::tf32) return bits_of(x);
          if (one.input == TensorInput::bf16) return to_bf16(x) | static_cast<std::uint32_t>(to_bf16(-x * 0.75f)) << 16;
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
            std::vector<float> row, column;
            for (int k = 0; k < one.depth; ++k) {
              const int lane_k = k % step / per, half = k % per, group = k / step;
              row.push_back(number_of(one.input, number(static_cast<std::size_t>(m / 8 + 2 * group), m % 8 * 4 + lane_k, half)));
              column.push_back(number_of(one.input, number(static_cast<std::size_t>(a_count + group), n * 4 + lane_k, half)));
            }
            const auto lane = static_cast<std::size_t>(m % 8 * 4 + n / 2);
            const auto element = [&](const std::vector<std::uint32_t>& from) {
              return one.fp16_output ? from[32 * static_cast<std::size_t>(m / 8) + lane] >> (16 * (n % 2)) & 0xffff
                                     : from[32 * static_cast<std::size_t>(m / 8 * 2 + n % 2) + lane];
            };
            INFO(one.opcode << " sm_" << target << " round " << round << " at " << m << "," << n);
            const float start = one.fp16_output ? number_of(TensorInput::fp16, element(c)) : float_of(element(c));
            const float expected = equinorm::scalar::tensor_core_dot(*matrix_unit(target, one.input, one.fp16_output), start, one.depth,
                                                                     row.data(), 1, column.data(), 1);
            REQUIRE(element(ran.out) == (one.fp16_output ? equinorm::scalar::fp16_bits(expected) : bits_of(expected)));
          }
      }
}
