// Sums that may take in a product, both ways.
#include <catch2/catch.hpp>

#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;

namespace {

std::uint32_t bits_of(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, 4);
  return bits;
}

constexpr float kA = 1.0f + 0x1p-12f, kB = 1.0f - 0x1p-13f, kC = -0x1.001p0f;

/// %f4 after `body`, with a, b and c in %f1 to %f3.
Ran run(const std::string& body, Contraction contraction, bool shadows = false) {
  Options options;
  options.contraction = contraction;
  options.shadows = shadows;
  return run_body(
      "ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [%rd1+4];\nld.global.f32 %f3, [%rd1+8];\n" + body + "\nst.global.f32 [%rd3], %f4;",
      {bits_of(kA), bits_of(kB), bits_of(kC)}, {}, 1, 1, options);
}

struct Form {
  const char* body;
  float separate, fused;
};

}  // namespace

TEST_CASE("a sum takes in a product of its block, with the right signs") {
  const Form forms[] = {
      {"mul.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f3;", kA * kB + kC, std::fma(kA, kB, kC)},
      {"mul.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f3, %f5;", kA * kB + kC, std::fma(kA, kB, kC)},
      {"mul.f32 %f5, %f1, %f2;\nneg.f32 %f6, %f3;\nsub.f32 %f4, %f5, %f6;", kA * kB + kC, std::fma(kA, kB, kC)},
      {"mul.f32 %f5, %f1, %f2;\nneg.f32 %f6, %f3;\nsub.f32 %f4, %f6, %f5;", -(kA * kB + kC), -std::fma(kA, kB, kC)},
      // A product in its own place.
      {"mov.f32 %f4, %f3;\nmul.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f4;", kA * kB + kC, std::fma(kA, kB, kC)},
  };
  REQUIRE(kA * kB + kC != std::fma(kA, kB, kC));
  for (const Form& form : forms)
    for (const bool shadows : {false, true}) {
      INFO(form.body << (shadows ? " with shadows" : ""));
      const Ran separate = run(form.body, Contraction::separate, shadows), fused = run(form.body, Contraction::fused, shadows);
      CHECK(separate.report.contractible == 1);
      CHECK(fused.report.contractible == 1);
      CHECK(separate.out[0] == bits_of(form.separate));
      CHECK(fused.out[0] == bits_of(form.fused));
      CHECK(fused.report.arithmetic.find("fused") != std::string::npos);
    }
}

TEST_CASE("nothing is fused across a branch target, a changed factor, a guard or an explicit .rn") {
  for (const char* body : {"mul.rn.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f3;", "mul.f32 %f5, %f1, %f2;\nadd.rn.f32 %f4, %f5, %f3;",
                           "mul.f32 %f5, %f1, %f2;\nL: add.f32 %f4, %f5, %f3;\nsetp.eq.f32 %p1, %f4, 0f42280000;\n@%p1 bra L;",
                           "mul.f32 %f5, %f1, %f2;\nmov.f32 %f1, %f3;\nadd.f32 %f4, %f5, %f3;",
                           "mul.f32 %f5, %f1, %f2;\nsetp.ne.s32 %p1, %r1, 77;\n@%p1 add.f32 %f4, %f5, %f3;",
                           "mul.ftz.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f3;", "mul.sat.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f3;"}) {
    INFO(body);
    const Ran separate = run(body, Contraction::separate), fused = run(body, Contraction::fused);
    CHECK(fused.report.contractible == 0);
    CHECK(separate.out == fused.out);
  }
}

TEST_CASE("a launch under both contractions says whether memory differs, and leaves it as without fusing") {
  const auto both = [](const std::string& body) {
    const Module module = parse_module(body_of("ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [%rd1+4];\nld.global.f32 %f3, [%rd1+8];\n" +
                                               body + "\nst.global.f32 [%rd1+12], %f4;"),
                                       "test.ptx");
    Device device;
    const std::vector<float> values{kA, kB, kC, 0.0f};
    const auto address = device.upload(std::span<const float>(values));
    const std::vector<Argument> arguments(4, Argument::pointer(address));
    const ContractionReport report = device.launch_both(module, "test", {}, arguments);
    return std::pair(report, device.download<float>(address + 12, 1)[0]);
  };
  const auto [different, left] = both("mul.f32 %f5, %f1, %f2;\nadd.f32 %f4, %f5, %f3;");
  CHECK(different.differs);
  CHECK(different.bytes >= 1);
  CHECK(different.first_address >= kGlobalWindow);
  CHECK(left == kA * kB + kC);
  const auto [same, right] = both("fma.rn.f32 %f4, %f1, %f2, %f3;");
  CHECK_FALSE(same.differs);
  CHECK(right == std::fma(kA, kB, kC));
}

TEST_CASE("the study kernels are right under both contractions") {
  Options options;
  options.contraction = Contraction::fused;
  for (const StudyKernel& kernel : kStudies) {
    const Study study = kernel.run(kernel_module(kernel.name, 80), options);
    INFO(kernel.name << ": " << study.report.arithmetic);
    CHECK(study.worst() <= 1.0);
    CHECK_FALSE(study.report.arithmetic.empty());
  }
}
