// With rounding removed the kernels equal their formulas to many digits; their mutants do not.
#include <algorithm>
#include <catch2/catch.hpp>

#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;
using Catch::Contains;

namespace {

using Quad = __float128;

Options with_shadows() {
  Options options;
  options.shadows = true;
  return options;
}

/// Fewest bits to which the shadows equal exact values, relative to the largest of them; 0 if a shadow is missing.
double common_bits(const std::vector<ShadowValue>& shadow, const std::vector<Quad>& exact) {
  Quad largest = 0, error = 0;
  REQUIRE(shadow.size() == exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    if (!shadow[i].known) return 0;
    const Quad difference = exact[i] - shadow[i].high - shadow[i].low, size = exact[i];
    largest = std::max(largest, size < 0 ? -size : size);
    error = std::max(error, difference < 0 ? -difference : difference);
  }
  if (!(error > 0)) return 113;
  return -std::log2(static_cast<double>(error / largest));
}

Quad square_root(Quad x) {
  Quad y = std::sqrt(static_cast<double>(x));
  for (int i = 0; i < 3; ++i) y = (y + x / y) / 2;
  return y;
}
/// e^x by halving and the series.
Quad exponential(Quad x) {
  x /= 1 << 20;
  Quad term = 1, sum = 0;  // e^x - 1
  for (int k = 1; k < 12; ++k) term *= x / k, sum += term;
  for (int i = 0; i < 20; ++i) sum = sum * (2 + sum);
  return sum + 1;
}

}  // namespace

TEST_CASE("RMSNorm equals its formula to more than 90 bits with rounding removed") {
  for (const int target : {80, 90}) {
    const Study study = run_rmsnorm(kernel_module("rmsnorm", target), with_shadows(), 2, 200);
    const auto x = random_floats(400, 1), weight = random_floats(200, 2);
    std::vector<Quad> exact;
    for (std::size_t r = 0; r < 2; ++r) {
      Quad sum = 0;
      for (std::size_t i = 0; i < 200; ++i) sum += static_cast<Quad>(x[200 * r + i]) * x[200 * r + i];
      for (std::size_t i = 0; i < 200; ++i) exact.push_back(x[200 * r + i] / square_root(sum / 200 + 1e-6f) * weight[i]);
    }
    const double bits = common_bits(study.shadow, exact);
    INFO("bits " << bits);
    CHECK(bits > 95);
    CHECK(study.report.shadow.restarts == 0);
    CHECK(study.report.shadow.operations > 1000);
    CHECK(study.worst() <= 1.0);
    // The line of the rsqrt and of the products are named; no operation errs by more than its bound.
    REQUIRE_FALSE(study.report.shadow.lines.empty());
    CHECK_THAT(study.report.shadow.lines[0].place, Contains("rmsnorm.cu:"));
    for (const LineError& line : study.report.shadow.lines) CHECK(line.largest_ulp <= 0.5);
  }
}

TEST_CASE("values are the same bits with shadows and without") {
  for (const StudyKernel& kernel : kStudies) {
    const Module module = kernel_module(kernel.name, 80);
    const Study plain = kernel.run(module, {}), shadowed = kernel.run(module, with_shadows());
    INFO(kernel.name);
    CHECK(std::memcmp(plain.out.data(), shadowed.out.data(), 4 * plain.out.size()) == 0);
    CHECK(shadowed.report.findings.empty());
  }
}

TEST_CASE("the decode equals softmax(scale alpha q c) c to more than 90 bits; scale is the exact decimal") {
  constexpr int kRank = 512, kKeys = 70;
  const auto q = random_floats(kRank, 3), cache = random_floats(static_cast<std::size_t>(kKeys) * kRank, 4);
  std::vector<float> alpha = random_floats(kKeys, 5);
  for (float& x : alpha) x = 0.5f + std::fabs(x);
  const auto run = [&](const std::string& text, std::vector<std::string>* constants) {
    const Module module = parse_module(text, "decode.ptx");
    Device device;
    const auto pq = device.upload(std::span<const float>(q)), pc = device.upload(std::span<const float>(cache)),
               pa = device.upload(std::span<const float>(alpha));
    const auto out = device.allocate(4 * kRank);
    Grid grid;
    grid.threads = {256, 1, 1};
    const double high = 0.03, low = static_cast<double>(static_cast<Quad>(3) / 100 - static_cast<Quad>(0.03));
    const LaunchReport report = device.launch(module, "absorbed_decode", grid,
                                              std::vector{Argument::pointer(pq), Argument::pointer(pc), Argument::pointer(pa),
                                                          Argument::pointer(out), Argument::of(kKeys), Argument::exact(0.03f, high, low)},
                                              with_shadows());
    if (constants != nullptr) *constants = report.shadow.constants;
    std::vector<ShadowValue> shadow;
    for (std::uint64_t i = 0; i < kRank; ++i) shadow.push_back(device.shadow(out + 4 * i, Type::f32));
    return shadow;
  };
  std::vector<Quad> p, exact(kRank);
  Quad total = 0;
  for (std::size_t s = 0; s < kKeys; ++s) {
    Quad dot = 0;
    for (std::size_t i = 0; i < kRank; ++i) dot += static_cast<Quad>(q[i]) * cache[s * kRank + i];
    p.push_back(exponential(dot * alpha[s] * 3 / 100));
    total += p.back();
    for (std::size_t i = 0; i < kRank; ++i) exact[i] += p.back() * cache[s * kRank + i];
  }
  for (Quad& x : exact) x /= total;
  std::vector<std::string> constants;
  const std::string text = kernel_text("absorbed_decode", 80);
  const double bits = common_bits(run(text, &constants), exact);
  INFO("bits " << bits);
  CHECK(bits > 90);
  CHECK(constants == std::vector<std::string>{"log2(e)"});
  // A wrong formula differs at once, whatever the precision.
  CHECK(common_bits(run(replaced(text, "0f3FB8AA3B", "0f3FB8AA3C", 1), nullptr), exact) < 30);
}

TEST_CASE("shadows pass through tensor cores, packed pairs, ldmatrix and shared memory") {
  // The mma kernel against its formula in binary64: what the bf16 rounding of p costs is gone.
  const Module module = kernel_module("mma_bf16", 80);
  const Study study = run_mma(module, with_shadows(), 75, 1);
  double largest = 0, plain = 0;
  for (std::size_t i = 0; i < study.expected.size(); ++i) {
    REQUIRE(study.shadow[i].known);
    largest = std::max(largest, std::fabs(study.shadow[i].high - study.expected[i]));
    plain = std::max(plain, std::fabs(study.out[i] - study.expected[i]));
  }
  INFO("with rounding " << plain << ", without " << largest);
  CHECK(plain > 1e-4);
  CHECK(largest < 1e-14);
}

TEST_CASE("paged bf16 and combine: the shadow meets the formula, the value does not") {
  for (const auto& [study, tolerance] : {std::pair{run_paged(kernel_module("paged_bf16", 90), with_shadows()), 1e-13},
                                         std::pair{run_paged(kernel_module("paged_bf16", 80), with_shadows()), 1e-13},
                                         std::pair{run_combine(kernel_module("combine", 80), with_shadows()), 1e-14}}) {
    double largest = 0;
    for (std::size_t i = 0; i < study.shadow.size(); ++i) {
      REQUIRE(study.shadow[i].known);
      largest = std::max(largest, std::fabs(study.shadow[i].high - study.expected[i]));
    }
    CHECK(largest < tolerance);
  }
}

TEST_CASE("the origin of a NaN is named") {
  Options options = with_shadows();
  options.find_nan = true;
  const Ran ran = run_body("mov.f32 %f1, 0f00000000;\ndiv.rn.f32 %f2, %f1, %f1;\nadd.f32 %f3, %f2, %f1;\nst.global.f32 [%rd3], %f3;", {},
                           {}, 1, 1, options);
  REQUIRE(ran.report.findings.size() == 1);
  CHECK(ran.report.findings[0].kind == FindingKind::not_a_number);
  CHECK(ran.report.findings[0].line == 19);
}

TEST_CASE("a dropped shadow is counted as a restart") {
  const Ran ran = run_body(
      "mov.f32 %f1, 0f3f800001;\nmul.f32 %f2, %f1, %f1;\nmov.b32 %r2, %f2;\nxor.b32 %r2, %r2, 1;\nmov.b32 %f3, %r2;\nadd.f32 %f4, %f3, "
      "%f1;\n"
      "st.global.f32 [%rd3], %f4;",
      {}, {}, 1, 1, with_shadows());
  CHECK(ran.report.shadow.restarts == 1);
}
