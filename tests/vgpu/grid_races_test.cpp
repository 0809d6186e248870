// Races of blocks in global memory.
#include <catch2/catch.hpp>

#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;

namespace {

/// `body` by `blocks` blocks of one thread on one buffer of 16 words, in %rd1; %r5 is the block.
LaunchReport run(const std::string& body, std::uint32_t blocks = 3, Order order = Order::canonical) {
  const Module module =
      parse_module(body_of("mov.u32 %r5, %ctaid.x;\nmul.wide.u32 %rd20, %r5, 4;\nadd.s64 %rd20, %rd20, %rd1;\n" + body), "test.ptx");
  Device device;
  const auto address = device.upload(std::span<const std::uint32_t>(std::vector<std::uint32_t>(16)));
  Grid grid;
  grid.blocks = {blocks, 1, 1};
  Options options;
  options.grid_races = true;
  options.order = order;
  return device.launch(module, "test", grid, std::vector<Argument>(4, Argument::pointer(address)), options);
}

}  // namespace

TEST_CASE("blocks that touch the same global bytes without order race, in every order of the blocks") {
  for (const Order order : {Order::canonical, Order::reversed}) {
    CHECK(run("st.global.u32 [%rd1], %r5;", 3, order).has(FindingKind::grid_race));
    CHECK(run("ld.global.u32 %r6, [%rd1];\nst.global.u32 [%rd20], %r5;", 3, order).has(FindingKind::grid_race));
    // A neighbour's word.
    CHECK(run("st.global.u32 [%rd20], %r5;\nld.global.u32 %r6, [%rd20+4];", 3, order).has(FindingKind::grid_race));
    CHECK(run("atom.global.add.u32 %r6, [%rd1], 1;\nld.global.u32 %r6, [%rd1+0];", 3, order).has(FindingKind::grid_race));
  }
}

TEST_CASE("own words, shared reads and atomics are no races, and atomics order what lies before and after") {
  for (const char* body :
       {"st.global.u32 [%rd20], %r5;\nld.global.u32 %r6, [%rd20];", "ld.global.u32 %r6, [%rd1];", "atom.global.add.u32 %r6, [%rd1], 1;",
        "st.global.u32 [%rd20+16], %r5;\nmembar.gl;\natom.global.add.u32 %r6, [%rd1], 1;\nsetp.eq.u32 %p1, %r6, 2;\n"
        "@%p1 ld.global.u32 %r7, [%rd1+16];\n@%p1 ld.global.u32 %r7, [%rd1+20];"}) {
    const LaunchReport report = run(body);
    INFO(body << "\n" << all(report));
    CHECK(report.findings.empty());
  }
  // Reading before the atomic is too early.
  CHECK(run("st.global.u32 [%rd20+16], %r5;\nld.global.u32 %r7, [%rd1+16];\natom.global.add.u32 %r6, [%rd1], 1;")
            .has(FindingKind::grid_race));
  // Addresses must be the same.
  CHECK(run("st.global.u32 [%rd1+32], %r5;\natom.global.add.u32 %r6, [%rd20], 1;").has(FindingKind::grid_race));
}

TEST_CASE("the study kernels have no races of blocks") {
  Options options;
  options.grid_races = true;
  for (const StudyKernel& kernel : kStudies) {
    const Study study = kernel.run(kernel_module(kernel.name, 80), options);
    INFO(kernel.name << "\n" << all(study.report));
    CHECK(study.report.findings.empty());
    CHECK(study.worst() <= 1.0);
  }
}
