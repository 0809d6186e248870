// The study kernels: right results under every schedule, the same bits on every instruction set, and every mutant caught.
#include <catch2/catch.hpp>
#include <regex>

#include "scalar/simd.hpp"
#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;

namespace {

Options schedule(Order order, CopySchedule copies, std::uint64_t seed = 1) {
  Options options;
  options.order = order;
  options.copies = copies;
  options.seed = seed;
  return options;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 4 * a.size()) == 0;
}

}  // namespace

TEST_CASE("the study kernels meet their references under every schedule") {
  for (const StudyKernel& kernel : kStudies)
    for (const int target : {80, 90}) {
      const Module module = kernel_module(kernel.name, target);
      const Study canonical = kernel.run(module, {});
      for (const Options& options :
           {schedule(Order::canonical, CopySchedule::eager), schedule(Order::canonical, CopySchedule::latest_legal),
            schedule(Order::reversed, CopySchedule::latest_legal), schedule(Order::seeded, CopySchedule::eager, 7)}) {
        const Study study = kernel.run(module, options);
        INFO(kernel.name << " sm_" << target << "\n" << all(study.report));
        CHECK(study.report.finished);
        CHECK(study.report.findings.empty());
        CHECK(study.worst() <= 1.0);
        CHECK(same_bits(study.out, canonical.out));  // no study kernel depends on the order
      }
    }
}

TEST_CASE("output bits do not depend on the instruction set") {
  using equinorm::scalar::ForcedSimdLevel;
  using equinorm::scalar::SimdLevel;
  for (const StudyKernel& kernel : kStudies) {
    const Module module = kernel_module(kernel.name, 80);
    std::vector<std::vector<float>> outputs;
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      if (level > equinorm::scalar::detected_simd_level()) continue;
      const ForcedSimdLevel forced(level);
      outputs.push_back(kernel.run(module, {}).out);
    }
    INFO(kernel.name);
    for (const auto& out : outputs) CHECK(same_bits(out, outputs[0]));
  }
}

TEST_CASE("approximate functions moved inside their bounds keep the kernels right") {
  Options options;
  options.approximation = Approximation::perturbed;
  const Module module = kernel_module("rmsnorm", 80);
  bool moved = false;
  for (const std::uint64_t seed : {1, 2, 3}) {
    options.seed = seed;
    const Study study = run_rmsnorm(module, options);
    CHECK(study.worst() <= 1.0);
    moved |= !same_bits(study.out, run_rmsnorm(module).out);
  }
  CHECK(moved);
}

TEST_CASE("a swapped fragment is caught") {
  // Registers 1 and 2 of the first A fragment: rows and columns of the tile change places.
  const std::string text = kernel_text("mma_bf16", 80);
  std::string mutant = std::regex_replace(text, std::regex(R"((mma\.sync[^{]*\{[^}]*\}, ?\{[^,]*),([^,]*),([^,]*),)"), "$1,$3,$2,",
                                          std::regex_constants::format_first_only);
  REQUIRE(mutant != text);
  CHECK(run_mma(parse_module(mutant, "mutant.ptx")).worst() > 1.0);
}

namespace {

struct Mutant {
  const char* name;
  const char* kernel;
  std::string from, to;
  int which;
  FindingKind kind;  // expected finding, if `found`
  bool found;        // false: the result must be wrong instead
};

}  // namespace

TEST_CASE("every mutant of the study kernels is caught") {
  const Mutant mutants[] = {
      {"no barrier after the partial sums", "rmsnorm", "bar.sync \t0;", "", 0, FindingKind::race, true},
      {"no barrier after loading q", "absorbed_decode", "bar.sync \t0;", "", 0, FindingKind::race, true},
      {"no barrier after the scores", "absorbed_decode", "bar.sync \t0;", "", 1, FindingKind::race, true},
      {"no barrier at the tile's end", "absorbed_decode", "bar.sync \t0;", "", 2, FindingKind::race, true},
      {"loop one element too far", "rmsnorm", "setp.lt.s32", "setp.le.s32", 0, FindingKind::out_of_bounds, false},
      {"sum over one lane too few", "rmsnorm", "shfl.sync.bfly.b32", "shfl.sync.up.b32", 0, FindingKind::race, false},
      {"natural exponential taken as power of two", "absorbed_decode", "0f3FB8AA3B", "0f3F800000", 1, FindingKind::race, false},
      {"missing rescale", "absorbed_decode", "0f3FB8AA3B", "0f00800000", 0, FindingKind::race, false},
      {"gamma of the query for the keys", "paged_bf16", "[paged_bf16_param_4]", "[paged_bf16_param_3]", 0, FindingKind::race, false},
      {"no barrier after the scores, paged", "paged_bf16", "bar.sync \t0;", "", 0, FindingKind::race, true},
      {"no norm of the keys", "paged_bf16", "rsqrt.approx.f32", "abs.f32", 1, FindingKind::race, false},
      {"no wait for the copies", "mma_bf16", "cp.async.wait_group 1;", "", 0, FindingKind::uninitialised, true},
      {"waits for too few copies", "mma_bf16", "cp.async.wait_group 1;", "cp.async.wait_group 2;", 0, FindingKind::uninitialised, true},
      {"transposed keys", "mma_bf16", "ldmatrix.sync.aligned.m8n8.x2.shared", "ldmatrix.sync.aligned.m8n8.x2.trans.shared", 0,
       FindingKind::race, false},
      {"mask off by one", "mma_bf16", "setp.lt.s32", "setp.le.s32", 0, FindingKind::race, false},
      {"read beyond the splits", "combine", "setp.ge.u32", "setp.gt.u32", 0, FindingKind::out_of_bounds, true},
      {"empty split not skipped", "combine", "setp.leu.f32", "setp.gtu.f32", 0, FindingKind::race, false},
      {"no barrier before the weights are read", "combine", "barrier.sync \t0;", "", 0, FindingKind::race, true},
  };
  for (const Mutant& mutant : mutants)
    for (const StudyKernel& kernel : kStudies) {
      if (std::string(kernel.name) != mutant.kernel) continue;
      const Module module = parse_module(replaced(kernel_text(mutant.kernel, 80), mutant.from, mutant.to, mutant.which), "mutant.ptx");
      const Study study = kernel.run(module, {});
      INFO(mutant.kernel << ": " << mutant.name << ", worst " << study.worst() << "\n" << all(study.report));
      if (mutant.found)
        CHECK(study.report.has(mutant.kind));
      else
        CHECK((study.worst() > 1.0 || !study.report.findings.empty()));
    }
}
