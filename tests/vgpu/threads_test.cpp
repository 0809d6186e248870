// Blocks on several host threads: the same bits, findings and traps as with one; one where blocks have to do with each other.
#include <catch2/catch.hpp>

#include "vgpu/study_kernels.hpp"

using namespace vgpu_tests;

namespace {

Options threads_of(int threads) {
  Options options;
  options.threads = threads;
  return options;
}

struct Launched {
  LaunchReport report;
  std::vector<std::uint32_t> out;
};

/// body_of(body) on a grid of blocks, with %r2 = the block and %rd10 = c + 4 * thread of the grid.
Launched launch(const std::string& body, std::uint32_t blocks, std::uint32_t threads, const Options& options) {
  const Module module = parse_module(body_of("mov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\nmad.lo.u32 %r4, %r2, %r3, %r1;\n"
                                             "mul.wide.u32 %rd8, %r4, 4;\nadd.u64 %rd10, %rd3, %rd8;\n" +
                                                 body,
                                             ".shared .align 4 .b8 s[128];\n"),
                                     "test.ptx");
  Device device;
  const std::vector<std::uint32_t> start(std::size_t{blocks} * threads, 7);
  const auto out = device.upload(std::span<const std::uint32_t>(start));
  Grid grid;
  grid.blocks = {blocks, 1, 1};
  grid.threads = {threads, 1, 1};
  const std::vector<Argument> arguments(4, Argument::pointer(out));
  Launched launched;
  launched.report = device.launch(module, "test", grid, arguments, options);
  launched.out = device.download<std::uint32_t>(out, start.size());
  return launched;
}

std::string findings(const LaunchReport& report) { return all(report) + (report.finished ? "finished" : "not finished"); }

}  // namespace

TEST_CASE("study kernels: the same with 1, 2, 3 and 7 threads; atomics keep one") {
  for (const StudyKernel& kernel : kStudies) {
    const Module module = kernel_module(kernel.name, 80);
    const Study one = kernel.run(module, {});
    for (const int threads : {2, 3, 7}) {
      const Study study = kernel.run(module, threads_of(threads));
      INFO(kernel.name << " with " << threads << " threads");
      CHECK(std::memcmp(one.out.data(), study.out.data(), 4 * one.out.size()) == 0);
      CHECK(findings(one.report) == findings(study.report));
      CHECK(one.report.warp_instructions == study.report.warp_instructions);
      CHECK(one.report.lane_instructions == study.report.lane_instructions);
      CHECK((study.report.threads > 1) == (std::string(kernel.name) != "combine"));
    }
  }
}

TEST_CASE("findings of many blocks come in the order of the blocks, with their counts") {
  // Odd blocks store one word beyond, all read shared memory that nobody wrote.
  const std::string body =
      "mov.u32 %r5, s;\nld.shared.u32 %r6, [%r5];\nand.b32 %r7, %r2, 1;\nsetp.eq.u32 %p1, %r7, 1;\n"
      "@%p1 st.global.u32 [%rd3+65536], %r6;\nst.global.u32 [%rd10], %r2;";
  for (const Order order : {Order::canonical, Order::reversed, Order::seeded}) {
    Options options;
    options.order = order;
    const Launched one = launch(body, 24, 64, options);
    REQUIRE(one.report.findings.size() == 2);
    options.threads = 4;
    const Launched many = launch(body, 24, 64, options);
    CHECK(many.report.threads == 4);
    CHECK(findings(one.report) == findings(many.report));
    CHECK(one.out == many.out);
  }
}

TEST_CASE("blocks that touch each other's memory run on one thread, whatever they left behind") {
  // Each block adds one to what the block before left: a chain that only the order of one thread makes right.
  const std::string chain =
      "setp.eq.u32 %p1, %r4, 0;\nmov.u32 %r6, 100;\n@!%p1 ld.global.u32 %r6, [%rd10+-4];\nadd.u32 %r6, %r6, 1;\nst.global.u32 [%rd10], "
      "%r6;";
  const Launched one = launch(chain, 50, 1, {}), many = launch(chain, 50, 1, threads_of(4));
  CHECK(one.out.back() == 150);
  CHECK(one.out == many.out);
  CHECK(many.report.threads == 1);
  // All blocks write one word; the last in the order wins.
  const std::string same = "st.global.u32 [%rd3], %r2;";
  const Launched last = launch(same, 50, 32, threads_of(4));
  CHECK(last.out[0] == 49);
  CHECK(last.report.threads == 1);
  // Neighbouring bytes are no conflict.
  const std::string bytes = "add.u64 %rd11, %rd3, 0;\ncvt.u64.u32 %rd12, %r4;\nadd.u64 %rd11, %rd11, %rd12;\nst.global.u8 [%rd11], %r2;";
  const Launched next = launch(bytes, 40, 1, threads_of(4));
  CHECK(next.report.threads == 4);
  CHECK(next.out == launch(bytes, 40, 1, {}).out);
}

TEST_CASE("a trap leaves memory and report as with one thread") {
  const std::string body = "st.global.u32 [%rd10], %r2;\nsetp.eq.u32 %p1, %r2, 17;\n@%p1 trap;\nst.global.u32 [%rd10], %r3;";
  const Launched one = launch(body, 40, 32, {}), many = launch(body, 40, 32, threads_of(4));
  CHECK_FALSE(one.report.finished);
  CHECK(findings(one.report) == findings(many.report));
  CHECK(one.out == many.out);
  CHECK(one.out[18 * 32] == 7);  // blocks behind the trap have not run
  Options limited;
  limited.instruction_limit = 200;
  const Launched stopped = launch(body, 40, 32, limited);
  limited.threads = 3;
  const Launched also = launch(body, 40, 32, limited);
  CHECK(stopped.out == also.out);
  CHECK(findings(stopped.report) == findings(also.report));
}

TEST_CASE("every way to global memory is seen: rows, single lanes, generic addresses, asynchronous copies") {
  // In place: each block reads and writes its own eight words, four blocks to a page. No conflict.
  const std::string own = "ld.global.u32 %r6, [%rd10];\nadd.u32 %r6, %r6, %r2;\nst.global.u32 [%rd10], %r6;";
  const Launched apart = launch(own, 40, 8, threads_of(4));
  CHECK(apart.report.threads == 4);
  CHECK(apart.out == launch(own, 40, 8, {}).out);
  // Each block hands its word 32 blocks on: one thread reads what another has written, or is about to.
  const std::string store = "st.global.u32 [%rd10], %r6;", far = "[%rd10+-4096]";
  const std::pair<const char*, std::string> ways[] = {
      {"row", "ld.global.u32 %r6, " + far + ";"},
      {"row of pairs", "ld.global.v2.u32 {%r6, %r7}, [%rd11];"},
      {"single lanes", "setp.ne.u32 %p2, %r1, 3;\n@%p2 ld.global.u32 %r6, " + far + ";"},
      {"generic", "ld.u32 %r6, " + far + ";"},
      {"bytes to words", "ld.global.u8 %r6, " + far + ";"},
      {"copies", "mov.u32 %r8, s;\nmad.lo.u32 %r8, %r1, 4, %r8;\ncp.async.ca.shared.global [%r8], " + far +
                     ", 4;\ncp.async.wait_all;\nld.shared.u32 %r6, [%r8];"}};
  for (const auto& [name, load] : ways) {
    INFO(name);
    const std::string body =
        "mov.u32 %r6, %r4;\nsetp.lt.u32 %p1, %r2, 33;\n@%p1 bra write;\nand.b64 %rd11, %rd10, -8;\nadd.u64 %rd11, %rd11, -4096;\n" + load +
        "\nwrite:\nadd.u32 %r6, %r6, 1;\n" + store;
    const Launched one = launch(body, 97, 32, {}), many = launch(body, 97, 32, threads_of(3));
    CHECK(one.out == many.out);
    CHECK(many.report.threads == 1);
    CHECK(findings(one.report) == findings(many.report));
  }
  // Stores lane by lane, over a neighbour's last word.
  const std::string over = "setp.eq.u32 %p1, %r1, 1;\n@%p1 st.global.u32 [%rd10+-8], %r2;\n@!%p1 st.u32 [%rd10], %r3;";
  const Launched one = launch(over, 40, 33, {}), many = launch(over, 40, 33, threads_of(3));
  CHECK(one.out == many.out);
  CHECK(many.report.threads == 1);
}
