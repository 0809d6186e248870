// PTX of the other compilers: NVRTC's of the study kernels, Triton's of triton_kernels.py. Right with rounding, and exact without.
#include <catch2/catch.hpp>

#include "scalar/simd.hpp"
#include "vgpu/opcodes.hpp"
#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;

namespace {

Options with_shadows(bool shadows) {
  Options options;
  options.shadows = shadows;
  return options;
}

/// Largest distance of the shadows from the expected values; infinite where one is missing.
double shadow_error(const Study& study) {
  double largest = study.shadow.empty() ? HUGE_VAL : 0;
  for (std::size_t i = 0; i < study.shadow.size(); ++i)
    largest = std::max(largest, study.shadow[i].known ? std::fabs(study.shadow[i].high - study.expected[i]) : HUGE_VAL);
  return largest;
}

/// Triton's kernels take the addresses of two scratch areas that these ones do not use.
std::vector<Argument> with_scratch(std::vector<Argument> arguments) {
  arguments.push_back(Argument::pointer(0));
  arguments.push_back(Argument::pointer(0));
  return arguments;
}

Study run_triton_rmsnorm(const Module& module, const Options& options) {
  constexpr int kRows = 3, kDim = 300;
  const auto x = random_floats(kRows * kDim, 21), weight = random_floats(kDim, 22);
  const float eps = 1e-5f;
  Device device;
  const auto px = device.upload(std::span<const float>(x)), pw = device.upload(std::span<const float>(weight)),
             out = device.allocate(4 * x.size());
  Grid grid;
  grid.blocks = {kRows, 1, 1};
  grid.threads = {128, 1, 1};
  grid.dynamic_shared = 1024;
  Study study;
  study.report = device.launch(
      module, "triton_rmsnorm", grid,
      with_scratch({Argument::pointer(px), Argument::pointer(pw), Argument::pointer(out), Argument::of(kDim), Argument::of(eps)}), options);
  study.out = device.download<float>(out, x.size());
  for (std::size_t r = 0; r < kRows; ++r) {
    double sum = 0;
    for (std::size_t i = 0; i < kDim; ++i) sum += static_cast<double>(x[r * kDim + i]) * x[r * kDim + i];
    for (std::size_t i = 0; i < kDim; ++i) {
      study.expected.push_back(x[r * kDim + i] * static_cast<double>(weight[i]) / std::sqrt(sum / kDim + static_cast<double>(eps)));
      study.allowed.push_back(16 * kUnit32 * std::fabs(study.expected.back()) + 1e-40);
      study.shadow.push_back(device.shadow(out + 4 * (r * kDim + i), Type::f32));
    }
  }
  return study;
}

Study run_triton_decode(const Module& module, const Options& options) {
  constexpr std::size_t kGroups = 2, kRows = 16, kDim = 64, kKeys = 75;
  const auto q = random_bf16(kGroups * kRows * kDim, 23), k = random_bf16(kGroups * kKeys * kDim, 24),
             v = random_bf16(kGroups * kKeys * kDim, 25);
  const float scale_log2 = 0.18f;
  Device device;
  const auto pq = device.upload(std::span<const std::uint16_t>(q)), pk = device.upload(std::span<const std::uint16_t>(k)),
             pv = device.upload(std::span<const std::uint16_t>(v));
  const auto out = device.allocate(4 * q.size());
  Grid grid;
  grid.blocks = {kGroups, 1, 1};
  grid.threads = {128, 1, 1};
  grid.dynamic_shared = 11264;  // as the PTX's first line says
  Study study;
  study.report = device.launch(module, "triton_decode", grid,
                               with_scratch({Argument::pointer(pq), Argument::pointer(pk), Argument::pointer(pv), Argument::pointer(out),
                                             Argument::of(static_cast<int>(kKeys)), Argument::of(scale_log2)}),
                               options);
  study.out = device.download<float>(out, q.size());
  const auto row = [](const std::vector<std::uint16_t>& x, std::size_t at, bool absolute) {
    std::vector<double> values;
    for (std::size_t i = 0; i < kDim; ++i)
      values.push_back(absolute ? std::fabs(from_bf16(x[at * kDim + i])) : from_bf16(x[at * kDim + i]));
    return values;
  };
  const double scale = static_cast<double>(scale_log2) * std::log(2.0);
  for (std::size_t g = 0; g < kGroups; ++g) {
    std::vector<std::vector<double>> keys, values, sizes;
    for (std::size_t s = 0; s < kKeys; ++s) {
      keys.push_back(row(k, g * kKeys + s, false));
      values.push_back(row(v, g * kKeys + s, false));
      sizes.push_back(row(v, g * kKeys + s, true));
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto query = row(q, g * kRows + r, false);
      const auto exact = attend(query, keys, values, scale), size = attend(query, keys, sizes, scale);
      for (std::size_t i = 0; i < kDim; ++i) {
        study.expected.push_back(exact[i]);
        study.allowed.push_back(0x1p-9 * size[i] + 1e-5);  // p in bf16
        study.shadow.push_back(device.shadow(out + 4 * ((g * kRows + r) * kDim + i), Type::f32));
      }
    }
  }
  return study;
}

struct Compiled {
  const char* name;
  Study (*run)(const Module&, const Options&);
  double exactness;  // of the shadow against the reference in binary64
};
const Compiled kCompiled[] = {{"nvrtc_rmsnorm", [](const Module& m, const Options& o) { return run_rmsnorm(m, o); }, 1e-13},
                              {"nvrtc_absorbed_decode", [](const Module& m, const Options& o) { return run_decode(m, o); }, 1e-12},
                              {"nvrtc_paged_bf16", [](const Module& m, const Options& o) { return run_paged(m, o); }, 1e-12},
                              {"triton_rmsnorm", run_triton_rmsnorm, 1e-13},
                              {"triton_decode", run_triton_decode, 1e-12}};

}  // namespace

TEST_CASE("kernels from NVRTC and Triton meet their references, and their formulas with rounding removed") {
  for (const Compiled& kernel : kCompiled)
    for (const int target : {80, 90}) {
      const Module module = kernel_module(kernel.name, target);
      CHECK(coverage(module).unsupported.empty());
      const Study plain = kernel.run(module, {}), shadowed = kernel.run(module, with_shadows(true));
      INFO(kernel.name << " sm_" << target << ", worst " << plain.worst() << ", shadow " << shadow_error(shadowed) << "\n"
                       << all(plain.report) << all(shadowed.report));
      CHECK(plain.report.finished);
      CHECK(plain.report.findings.empty());
      CHECK(plain.worst() <= 1.0);
      CHECK(shadow_error(shadowed) < kernel.exactness);
      CHECK(std::memcmp(plain.out.data(), shadowed.out.data(), 4 * plain.out.size()) == 0);
    }
}

TEST_CASE("Triton's kernels give the same bits under every schedule and on every instruction set") {
  using equinorm::scalar::ForcedSimdLevel;
  using equinorm::scalar::SimdLevel;
  for (const Compiled& kernel : kCompiled) {
    if (std::string(kernel.name).find("triton") != 0) continue;
    const Module module = kernel_module(kernel.name, 90);
    const Study canonical = kernel.run(module, {});
    for (const Order order : {Order::reversed, Order::seeded})
      for (const CopySchedule copies : {CopySchedule::eager, CopySchedule::latest_legal}) {
        Options options;
        options.order = order;
        options.copies = copies;
        const Study study = kernel.run(module, options);
        CHECK(study.report.findings.empty());
        CHECK(std::memcmp(study.out.data(), canonical.out.data(), 4 * study.out.size()) == 0);
      }
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      if (level > equinorm::scalar::detected_simd_level()) continue;
      const ForcedSimdLevel forced(level);
      const Study study = kernel.run(module, {});
      CHECK(std::memcmp(study.out.data(), canonical.out.data(), 4 * study.out.size()) == 0);
    }
  }
}

TEST_CASE("a fault planted in Triton's PTX is found") {
  const std::string text = kernel_text("triton_decode", 80);
  const auto run = [&](const std::string& from, const std::string& to, int which) {
    return run_triton_decode(parse_module(replaced(text, from, to, which), "mutant.ptx"), {});
  };
  CHECK(run("bar.sync \t0;", "", 1).report.has(FindingKind::race));
  CHECK(run("cp.async.wait_group \t0;", "", 0).report.has(FindingKind::uninitialised));
  CHECK(run("ex2.approx.ftz.f32", "abs.ftz.f32", 0).worst() > 1.0);
}

TEST_CASE("stmatrix is ldmatrix the other way") {
  // Each lane stores its two numbers with stmatrix, then reads row by row what lies in memory.
  for (const bool transposed : {false, true}) {
    const std::string trans = transposed ? ".trans" : "";
    const Ran ran = run_body(
        "shl.b32 %r2, %r1, 4;\nmov.u32 %r3, buffer;\nadd.u32 %r2, %r2, %r3;\nshl.b32 %r4, %r1, 8;\nor.b32 %r4, %r4, %r1;\n"
        "stmatrix.sync.aligned.m8n8.x1" +
            trans +
            ".shared.b16 [%r2], {%r4};\nbar.warp.sync -1;\n"
            "shl.b32 %r5, %r1, 2;\nadd.u32 %r5, %r5, %r3;\nld.shared.u32 %r6, [%r5];\n"
            "ldmatrix.sync.aligned.m8n8.x1" +
            trans +
            ".shared.b16 {%r7}, [%r2];\n"
            "add.s64 %rd10, %rd3, %rd9;\nst.global.u32 [%rd10], %r6;\nst.global.u32 [%rd10+128], %r7;",
        {}, {}, 64, 32, {}, ".shared .align 16 .b8 buffer[512];\n");
    INFO(all(ran.report));
    CHECK(ran.report.findings.empty());
    for (std::uint32_t i = 0; i < 32; ++i) {
      CHECK(ran.out[32 + i] == (i << 8 | i));
      if (!transposed) CHECK(ran.out[i] == (i << 8 | i));
      // Transposed: word i holds row i/4, columns 2 (i%4) and the next: numbers of lanes 4 column + row/2, half row%2.
      const auto number = [](std::uint32_t row, std::uint32_t column) {
        const std::uint32_t lane = 4 * column + row / 2, word = lane << 8 | lane;
        return word >> (16 * (row % 2)) & 0xffff;
      };
      if (transposed) CHECK(ran.out[i] == (number(i / 4, i % 4 * 2) | number(i / 4, i % 4 * 2 + 1) << 16));
    }
  }
}
