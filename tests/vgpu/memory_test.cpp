// What the memory and thread checks report, and that they report each thing once, with its place.
#include <catch2/catch.hpp>

#include "vgpu/vgpu_support.hpp"

using namespace vgpu_tests;
using Catch::Contains;

namespace {

const std::string kShared = ".shared .align 4 .b8 s[128];\n";

/// The only finding of a run, or a failure.
Finding only(const Ran& ran) {
  INFO(all(ran.report));
  REQUIRE(ran.report.findings.size() == 1);
  return ran.report.findings[0];
}
std::vector<std::uint32_t> words(std::size_t count) {
  std::vector<std::uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint32_t>(i * 3 + 1);
  return values;
}

}  // namespace

TEST_CASE("out of bounds: reads and writes, one report with thread, address and line") {
  const Finding read =
      only(run_body("add.s64 %rd10, %rd1, %rd9;\nld.global.u32 %r2, [%rd10];\nst.global.u32 [%rd3], %r2;", words(30), {}, 1));
  CHECK(read.kind == FindingKind::out_of_bounds);
  CHECK(read.thread[0] == 30);
  CHECK(read.count == 2);
  CHECK(read.line == 19);
  CHECK(read.bytes == 4);
  CHECK_THAT(read.detail, Contains("read 120 bytes after the start of an allocation of 120"));
  const Ran write = run_body("add.s64 %rd10, %rd3, %rd9;\nst.global.u32 [%rd10+4], %r1;", {}, {}, 32);
  CHECK(only(write).kind == FindingKind::out_of_bounds);
  CHECK(only(write).thread[0] == 31);
  CHECK(write.out[31] == 30);  // the others wrote
  CHECK(only(run_body("mov.u64 %rd10, 64;\nld.global.u32 %r2, [%rd10];", {}, {}, 1)).kind == FindingKind::out_of_bounds);
  CHECK(only(run_body("mov.u64 %rd10, 64;\nld.u32 %r2, [%rd10];", {}, {}, 1)).kind == FindingKind::out_of_bounds);
  CHECK(only(run_body("mov.u64 %rd10, -4;\nst.u32 [%rd10], %r2;", {}, {}, 1)).kind == FindingKind::out_of_bounds);
  CHECK(only(run_body("mov.u32 %r2, s;\nst.shared.u32 [%r2+128], %r1;", {}, {}, 1, 1, {}, kShared)).space == Space::shared);
  CHECK(only(run_body("mov.u32 %r2, 400000000;\nst.shared.u32 [%r2], %r1;", {}, {}, 1, 1, {}, kShared)).kind == FindingKind::out_of_bounds);
  CHECK(only(run_body("mov.u64 %rd10, l;\nst.local.u32 [%rd10+8], %r1;", {}, {}, 1, 1, {}, ".local .align 4 .b8 l[8];\n")).space ==
        Space::local);
}

TEST_CASE("misaligned addresses") {
  const Finding found = only(run_body("ld.global.u32 %r2, [%rd1+2];", words(8), {}, 1, 1));
  CHECK(found.kind == FindingKind::misaligned);
  CHECK(only(run_body("ld.global.v2.u32 {%r2, %r3}, [%rd1+4];", words(8), {}, 1, 1)).kind == FindingKind::misaligned);
  CHECK(only(run_body("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+8];", words(8), {}, 1, 32)).count == 32);
}

TEST_CASE("uninitialised reads: global, shared, local; written bytes are known one by one") {
  CHECK(only(run_body("ld.global.u32 %r2, [%rd3];", {}, {}, 1, 1)).kind == FindingKind::uninitialised);
  CHECK(only(run_body("ld.shared.u32 %r2, [s];", {}, {}, 1, 1, {}, kShared)).kind == FindingKind::uninitialised);
  CHECK(only(run_body("ld.local.u32 %r2, [l];", {}, {}, 1, 1, {}, ".local .align 4 .b8 l[8];\n")).kind == FindingKind::uninitialised);
  CHECK(only(run_body("mov.b16 %h1, 5;\nst.global.u16 [%rd3], %h1;\nld.global.u32 %r2, [%rd3];", {}, {}, 1, 1)).kind ==
        FindingKind::uninitialised);
  CHECK(run_body("st.global.u32 [%rd3], %r1;\nld.global.u32 %r2, [%rd3];", {}, {}, 1, 1).report.findings.empty());
}

TEST_CASE("freed memory is out of bounds, and allocations do not move") {
  Device device;
  const std::vector<std::uint32_t> values = words(4);
  const auto a = device.upload(std::span<const std::uint32_t>(values)), b = device.allocate(16);
  CHECK(b - a == 512);
  device.free(a);
  CHECK_THROWS_AS(device.free(a), equinorm::Error);
  CHECK_THROWS_AS(device.download<std::uint32_t>(a, 1), equinorm::Error);
  CHECK_THROWS_AS(device.download<std::uint32_t>(b, 5), equinorm::Error);
  const Module module = parse_module(body_of("ld.global.u32 %r2, [%rd1];"), "x.ptx");
  const LaunchReport report = device.launch(module, "test", {}, std::vector<Argument>(4, Argument::pointer(a)));
  REQUIRE(report.findings.size() == 1);
  CHECK_THAT(report.findings[0].detail, Contains("freed"));
}

TEST_CASE("races in shared memory: kinds, and what orders accesses") {
  const std::string store = "mov.u32 %r2, s;\nshl.b32 %r3, %r1, 2;\nand.b32 %r3, %r3, 127;\nadd.s32 %r2, %r2, %r3;\n";
  const auto run = [&](const std::string& body, std::uint32_t threads) { return run_body(store + body, {}, {}, 1, threads, {}, kShared); };
  CHECK_THAT(only(run("st.shared.u32 [%r2], %r1;", 64)).detail, Contains("write after write"));
  CHECK_THAT(only(run("setp.lt.u32 %p1, %r1, 32;\n@%p1 st.shared.u32 [%r2], %r1;\n@!%p1 ld.shared.u32 %r5, [%r2];", 64)).detail,
             Contains("read after write"));
  CHECK(run("setp.lt.u32 %p1, %r1, 32;\n@%p1 st.shared.u32 [%r2], %r1;\nbar.sync 0;\n@!%p1 ld.shared.u32 %r5, [%r2];", 64)
            .report.findings.empty());
  CHECK_THAT(only(run("st.shared.u32 [%r2], %r1;\nbar.warp.sync -1;\nld.shared.u32 %r5, [s];\nst.shared.u32 [%r2], %r1;", 32)).detail,
             Contains("write after read"));
  // Within a warp, bar.warp.sync orders and nothing else does.
  CHECK_THAT(only(run("st.shared.u32 [%r2], %r1;\nld.shared.u32 %r5, [s];", 32)).detail, Contains("read after write"));
  CHECK(run("st.shared.u32 [%r2], %r1;\nbar.warp.sync -1;\nld.shared.u32 %r5, [s];", 32).report.findings.empty());
  // Between warps it does not.
  CHECK(
      only(run("setp.lt.u32 %p1, %r1, 32;\n@%p1 st.shared.u32 [%r2], %r1;\nbar.warp.sync -1;\n@!%p1 ld.shared.u32 %r5, [%r2];", 64)).kind ==
      FindingKind::race);
  // Many readers, one of them writes.
  CHECK(only(run("st.shared.u32 [%r2], %r1;\nbar.warp.sync -1;\nld.shared.u32 %r5, [s];\nsetp.eq.u32 %p1, %r1, 31;\n@%p1 st.shared.u32 "
                 "[s], %r1;",
                 32))
            .kind == FindingKind::race);
  // Neighbouring bytes of a word are no race; atomics among themselves neither.
  CHECK(run_body("mov.u32 %r2, s;\nadd.s32 %r2, %r2, %r1;\nst.shared.u8 [%r2], %r1;", {}, {}, 1, 32, {}, kShared).report.findings.empty());
  CHECK(run_body("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [s], 0;\nbar.sync 0;\natom.shared.add.u32 %r5, [s], 1;", {}, {}, 1, 64, {},
                 kShared)
            .report.findings.empty());
  CHECK(only(run_body("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [s], 0;\natom.shared.add.u32 %r5, [s], 1;", {}, {}, 1, 64, {}, kShared))
            .kind == FindingKind::race);
  Options off;
  off.races = false;
  CHECK(run_body(store + "st.shared.u32 [%r2], %r1;", {}, {}, 1, 64, off, kShared).report.findings.empty());
}

TEST_CASE("barriers: divergence, deadlock, named ones") {
  // Half a warp comes to a barrier of its own.
  const std::string split = "setp.lt.u32 %p1, %r1, 16;\n@%p1 bra L1;\nbar.sync 0;\nbra L2;\nL1: bar.sync 0;\nL2:";
  CHECK(run_body(split, {}, {}, 1).report.has(FindingKind::divergent_barrier));
  CHECK(run_body("setp.lt.u32 %p1, %r1, 16;\n@%p1 bar.sync 0;", {}, {}, 1).report.has(FindingKind::divergent_barrier));
  CHECK(run_body("bar.sync 0;", {}, {}, 1, 80).report.findings.empty());
  // Threads that have left are not waited for.
  CHECK(run_body("setp.lt.u32 %p1, %r1, 32;\n@%p1 exit;\nbar.sync 0;", {}, {}, 1, 64).report.finished);
  const Ran stuck = run_body("setp.lt.u32 %p1, %r1, 32;\n@%p1 bra L;\nbar.sync 1, 96;\nL: bar.sync 2, 96;", {}, {}, 1, 96);
  CHECK_FALSE(stuck.report.finished);
  CHECK(stuck.report.has(FindingKind::deadlock));
  CHECK(run_body("setp.lt.u32 %p1, %r1, 32;\n@%p1 bra L;\nbar.sync 1, 64;\nbra E;\nL: bar.arrive 1, 64;\nE:", {}, {}, 1, 64)
            .report.findings.empty());
}

TEST_CASE("a shuffle in a part of its mask, and one outside it") {
  CHECK(run_body("setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;", {}, {}, 1)
            .report.has(FindingKind::divergent_warp));
  CHECK(run_body("shfl.sync.bfly.b32 %r2, %r1, 1, 31, 65535;", {}, {}, 1).report.has(FindingKind::divergent_warp));
  CHECK(run_body("setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.bfly.b32 %r2, %r1, 1, 31, 65535;", {}, {}, 1).report.findings.empty());
}

TEST_CASE("endless loops, traps and failed assertions end a launch") {
  Options options;
  options.instruction_limit = 100000;
  const Ran loop = run_body("L: bra L;", {}, {}, 1, 32, options);
  CHECK_FALSE(loop.report.finished);
  CHECK(only(loop).kind == FindingKind::limit);
  options.instruction_limit = std::uint64_t{1} << 60;
  options.seconds_limit = 0.05;
  CHECK(only(run_body("L: bra L;", {}, {}, 1, 32, options)).detail == "time");
  CHECK(only(run_body("trap;", {}, {}, 1)).kind == FindingKind::trap);
}

TEST_CASE("a lock between lanes of one warp, and a flag between warps, come to an end") {
  // Every lane takes a lock in turn: without fairness the lane that holds it never runs.
  const std::string lock =
      "L: atom.global.cas.b32 %r2, [%rd4], 0, 1;\nsetp.ne.u32 %p1, %r2, 0;\n@%p1 bra L;\n"
      "ld.global.u32 %r3, [%rd4+4];\nadd.u32 %r3, %r3, 1;\nst.global.u32 [%rd4+4], %r3;\natom.global.exch.b32 %r4, [%rd4], 0;";
  Device device;
  const std::vector<std::uint32_t> zeros(2);
  const auto at = device.upload(std::span<const std::uint32_t>(zeros));
  const Module module = parse_module(body_of(lock), "x.ptx");
  Grid grid;
  grid.threads = {32, 1, 1};
  Options options;
  options.instruction_limit = 50'000'000;
  const LaunchReport report = device.launch(module, "test", grid, std::vector<Argument>(4, Argument::pointer(at)), options);
  INFO(all(report));
  CHECK(report.finished);
  CHECK(device.download<std::uint32_t>(at, 2)[1] == 32);
  // Warp 0 waits for warp 1.
  const auto flag = device.upload(std::span<const std::uint32_t>(zeros));
  const Module wait = parse_module(
      body_of(
          "setp.ge.u32 %p1, %r1, 32;\n@%p1 bra S;\nL: ld.volatile.global.u32 %r2, [%rd4];\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra L;\nbra E;\n"
          "S: st.volatile.global.u32 [%rd4], 1;\nE:"),
      "x.ptx");
  grid.threads = {64, 1, 1};
  CHECK(device.launch(wait, "test", grid, std::vector<Argument>(4, Argument::pointer(flag)), options).finished);
}

TEST_CASE("cp.async: eager and latest legal copies, zero fill, missing waits") {
  const std::string shared = ".shared .align 16 .b8 s[512];\n";
  const std::string copy =
      "shl.b32 %r2, %r1, 4;\nmov.u32 %r3, s;\nadd.s32 %r3, %r3, %r2;\ncvt.u64.u32 %rd10, %r2;\nadd.s64 %rd10, %rd1, %rd10;\n";
  const std::string read = "ld.shared.u32 %r4, [%r3+8];\nadd.s64 %rd11, %rd3, %rd9;\nst.global.u32 [%rd11], %r4;";
  for (const CopySchedule schedule : {CopySchedule::eager, CopySchedule::latest_legal}) {
    Options options;
    options.copies = schedule;
    const Ran right =
        run_body(copy + "cp.async.cg.shared.global [%r3], [%rd10], 16;\ncp.async.commit_group;\ncp.async.wait_group 0;\n" + read,
                 words(128), {}, 32, 32, options, shared);
    CHECK(right.report.findings.empty());
    CHECK(right.out[5] == words(128)[22]);
    const Ran filled = run_body(copy + "cp.async.cg.shared.global [%r3], [%rd10], 16, 8;\ncp.async.wait_all;\n" + read, words(128), {}, 32,
                                32, options, shared);
    CHECK(filled.out[5] == 0);
    const Ran early =
        run_body(copy + "cp.async.cg.shared.global [%r3], [%rd10], 16;\ncp.async.commit_group;\ncp.async.wait_group 1;\n" + read,
                 words(128), {}, 32, 32, options, shared);
    CHECK(early.report.has(FindingKind::uninitialised) == (schedule == CopySchedule::latest_legal));
  }
}

TEST_CASE("calls, local memory, constants, indexed branches") {
  const std::string head =
      ".version 8.0\n.target sm_80\n.address_size 64\n.const .align 4 .u32 table[3] = {7, 8, 9};\n.global .align 4 .u32 counter = 40;\n"
      ".func (.param .b32 r) twice(.param .b32 x)\n{ .reg .b32 %r<3>; .reg .pred %p; ld.param.u32 %r1, [x]; setp.gt.u32 %p, %r1, 3; @%p "
      "bra B;\n"
      "add.u32 %r2, %r1, %r1; st.param.b32 [r], %r2; ret;\nB: add.u32 %r2, %r1, 100; st.param.b32 [r], %r2; ret; }\n";
  const std::string kernel = body_of(
      "{ .param .b32 p0; .param .b32 q0; st.param.b32 [p0], %r1; call.uni (q0), twice, (p0); ld.param.b32 %r2, [q0]; }\n"
      "and.b32 %r3, %r1, 1;\nT: .branchtargets A, B;\nbrx.idx %r3, T;\nA: add.u32 %r2, %r2, 1000;\nbra C;\nB: ld.const.u32 %r4, "
      "[table+8];\nadd.u32 %r2, %r2, %r4;\nC:\n"
      "mov.u64 %rd20, depot;\ncvta.local.u64 %rd20, %rd20;\nst.u32 [%rd20+4], %r2;\nld.local.u32 %r2, [depot+4];\n"
      "add.s64 %rd10, %rd3, %rd9;\nst.global.u32 [%rd10], %r2;\nred.global.add.u32 [counter], 1;",
      ".local .align 8 .b8 depot[8];\n");
  const Module module = parse_module(head + kernel.substr(kernel.find(".visible")), "x.ptx");
  Device device;
  const auto out = device.allocate(32);
  Grid grid;
  grid.threads = {8, 1, 1};
  const LaunchReport report = device.launch(module, "test", grid, std::vector<Argument>(4, Argument::pointer(out)));
  INFO(all(report));
  CHECK(report.findings.empty());
  CHECK(device.download<std::uint32_t>(out, 8) == std::vector<std::uint32_t>{1000, 11, 1004, 15, 1104, 114, 1106, 116});
}

TEST_CASE("launches that cannot be are refused") {
  const Module module = parse_module(body_of(""), "x.ptx");
  Device device;
  const std::vector<Argument> arguments(4, Argument::pointer(0));
  CHECK_THROWS_WITH(device.launch(module, "nothing", {}, arguments), Contains("no kernel 'nothing'; there are: test"));
  CHECK_THROWS_WITH(device.launch(module, "test", {}, std::span(arguments).first(3)), Contains("4 arguments are needed, not 3"));
  CHECK_THROWS_WITH(device.launch(module, "test", {}, std::vector<Argument>(4, Argument::of(1))),
                    Contains("argument 1 has 8 bytes, not 4"));
  Grid grid;
  grid.threads = {1025, 1, 1};
  CHECK_THROWS_WITH(device.launch(module, "test", grid, arguments), Contains("1 to 1024 threads"));
}

TEST_CASE("lanes of one store that write the same word race only if the values differ") {
  const auto run = [](const std::string& value) {
    return run_body("mov.u32 %r3, buffer;\nst.shared.u32 [%r3], " + value + ";", {}, {}, 1, 32, {}, ".shared .align 4 .b8 buffer[4];\n")
        .report;
  };
  CHECK(run("7").findings.empty());
  CHECK(run("%r1").has(FindingKind::race));
  // Two instructions, or two warps, are two writes.
  CHECK(run("7;\nst.shared.u32 [%r3], 7").findings.empty());  // each lane after itself, all the same: the first lane's
  const Ran two = run_body("mov.u32 %r3, buffer;\nst.shared.u32 [%r3], 7;", {}, {}, 1, 64, {}, ".shared .align 4 .b8 buffer[4];\n");
  CHECK(two.report.has(FindingKind::race));
}
