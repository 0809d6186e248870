#include <catch2/catch.hpp>
#include <cstring>

#include "vgpu/opcodes.hpp"
#include "vgpu/vgpu_support.hpp"

using namespace vgpu_tests;
using Catch::Contains;

namespace {

const std::string kHead = ".version 8.0\n.target sm_90a\n.address_size 64\n";
const char* const kKernels[] = {"rmsnorm", "absorbed_decode", "paged_bf16", "mma_bf16", "combine"};

std::string message_of(const std::string& text) {
  try {
    parse_module(text, "x.ptx");
  } catch (const equinorm::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the study kernels are read, and every instruction has a row") {
  for (const char* name : kKernels)
    for (const int target : {80, 90}) {
      const Module module = kernel_module(name, target);
      CHECK(module.target == target);
      REQUIRE(module.find_function(name) != nullptr);
      CHECK(module.find_function(name)->is_entry);
      const Coverage found = coverage(module);
      INFO(name << ": " << (found.unsupported.empty() ? "" : found.unsupported[0].opcode));
      CHECK(found.instructions > 50);
      CHECK(found.runnable == found.instructions);
    }
}

TEST_CASE("places follow inlined calls") {
  const Module module = kernel_module("rmsnorm", 80);
  const Function& kernel = *module.find_function("rmsnorm");
  bool found = false;
  for (const Instruction& instruction : kernel.body)
    if (instruction.opcode == "shfl.sync.bfly.b32") {
      found = true;
      CHECK_THAT(module.describe_place(instruction.place), Contains("sm_30_intrinsics.hpp:") && Contains(" inlined at rmsnorm.cu:8"));
      CHECK(module.places[static_cast<std::size_t>(module.outermost_place(instruction.place))].line == 8);
      CHECK_THAT(module.places[static_cast<std::size_t>(instruction.place)].function, Contains("shfl"));
    }
  CHECK(found);
}

TEST_CASE("declarations, scopes and operands") {
  const Module module = parse_module(kHead + R"(
    .extern .func (.param .b32 func_retval0) vprintf (.param .b64 a, .param .b64 b);
    .global .align 4 .b8 text[6] = {104, 105, 10};
    .const .align 8 .f64 half = 0.5;
    .global .u64 where[2] = {text, generic(text)+4};
    .global .align 16 .f32 grid[2][3];
    .extern .shared .align 16 .b8 dynamic[];
    .func (.param .b32 result) twice(.param .b32 x) { .reg .b32 %r<2>; ld.param.b32 %r1, [x]; add.s32 %r1, %r1, %r1; st.param.b32 [result+0], %r1; ret; }
    .visible .entry k(.param .u64 .ptr .global .align 4 p, .param .align 8 .b8 s[24]) .maxntid 128, 2 .minnctapersm 2
    {
      .reg .b32 %r<3>; .reg .pred %p, %q<2>; .reg .f32 f;
      $top:
      @!%p bra $top;
      { .reg .b32 %r<5>; mov.b32 %r4, 0f3f800000; $top: bra $top; }
      @%p setp.lt.and.s32 %q0|%q1, %r1, -5, !%p;
      mov.b32 {%r1, _}, 7;
      ld.shared.v2.u32 {%r1, %r2}, [dynamic+8];
      mov.f32 f, 1.5;
      bra $out;
      table: .branchtargets $top, $out;
      brx.idx %r1, table;
      $out: ret;
    })",
                                     "x.ptx");
  CHECK(module.target == 90);
  CHECK(module.target_name == "sm_90a");
  CHECK(module.find_variable("text")->bytes == 6);
  CHECK(module.find_variable("text")->initial == std::vector<std::uint8_t>{104, 105, 10});
  CHECK(module.find_variable("grid")->bytes == 24);
  CHECK(module.find_variable("dynamic")->bytes == 0);
  REQUIRE(module.find_variable("where")->relocations.size() == 2);
  CHECK(module.find_variable("where")->relocations[1].addend == 4);
  const Function& k = *module.find_function("k");
  CHECK(k.maximum_threads == std::array<std::uint32_t, 3>{128, 2, 1});
  CHECK(k.parameters.size() == 2);
  CHECK(k.variables[1].bytes == 24);
  REQUIRE(k.body.size() == 10);
  CHECK(k.body[0].guard_negated);
  CHECK(k.body[0].operands[0].index == 0);
  CHECK(k.body[2].operands[0].index == 1);  // the inner $top hides the outer one
  CHECK(k.body[1].operands[0].index != k.body[3].operands[1].index);
  CHECK(k.body[3].operands[0].kind == Operand::Kind::pair);
  CHECK(k.body[3].operands[2].bits == 0xfffffffffffffffbu);
  CHECK(k.body[3].operands[3].negated);
  CHECK(k.body[4].operands[0].parts[1].kind == Operand::Kind::sink);
  CHECK(k.body[5].operands[1].offset == 8);
  CHECK(k.targets.at(2) == std::vector<int>{0, 3});
}

TEST_CASE("errors name file and line") {
  CHECK_THAT(message_of(""), Contains("x.ptx: no .version"));
  CHECK_THAT(message_of(kHead + ".visible .entry k() {\n  mov.b32 %r1, ;\n}"), Contains("x.ptx:5: expected a name, found ';'"));
  CHECK_THAT(message_of(kHead + ".visible .entry k() {\n  ret;\n"), Contains("x.ptx:6: expected a name, found 'end of file'"));
  CHECK_THAT(message_of(kHead + ".visible .entry k() { .reg .b32 %r<99999999>; ret; }"), Contains("from 0 to 1048576"));
  CHECK_THAT(message_of(kHead + ".global .b8 a[99999999999];"), Contains("an integer from 0 to"));
  CHECK_THAT(message_of(kHead + ".global .f64 a[99999999][99999999];"), Contains("2^28"));
  CHECK_THAT(message_of(kHead + ".entry k() { @x ret; }"), Contains("'x' is no register"));
  CHECK_THAT(message_of(kHead + ".entry k() { .reg .b32 a; .reg .f32 a; }"), Contains("declared twice"));
  CHECK_THAT(message_of(kHead + "/* "), Contains("comment that does not end"));
  CHECK_THAT(message_of(kHead + "\x01"), Contains("unexpected character"));
}

TEST_CASE("an unknown opcode is refused before anything runs, by line and name") {
  Device device;
  const Module module = parse_module(body_of("st.global.u32 [%rd3], %r1;\nwgmma.fence.sync.aligned;"), "x.ptx");
  const auto out = device.allocate(4);
  const std::vector<Argument> arguments(4, Argument::pointer(out));
  CHECK_THROWS_WITH(device.launch(module, "test", {}, arguments), Contains("x.ptx:19: wgmma.fence.sync.aligned: unsupported instruction"));
  CHECK(device.count_unwritten(out, 4) == 4);
  const Coverage found = coverage(module);
  REQUIRE(found.unsupported.size() == 1);
  CHECK(found.unsupported[0].opcode == "wgmma.fence.sync.aligned");
  CHECK(found.unsupported[0].line == 19);
  CHECK(found.runnable + 1 == found.instructions);
}

TEST_CASE("operands that do not fit are refused") {
  const auto refused = [](const std::string& instruction) -> std::string {
    Device device;
    const Module module = parse_module(body_of(instruction), "x.ptx");
    try {
      device.launch(module, "test", {}, std::vector<Argument>(4, Argument::pointer(0)));
    } catch (const equinorm::Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refused("add.s32 %r1, %r2;"), Contains("too few operands"));
  CHECK_THAT(refused("add.s32 %r1, %r2, %r3, %r4;"), Contains("too many operands"));
  CHECK_THAT(refused("add.s32 %r1, %rd2, %r3;"), Contains("operand 2: a register for s32 is needed, not b64"));
  CHECK_THAT(refused("add.s32 %r1, %p2, %r3;"), Contains("not a pred"));
  CHECK_THAT(refused("add.s32 5, %r2, %r3;"), Contains("a register is needed"));
  CHECK_THAT(refused("ld.global.u32 %r1, %rd1;"), Contains("an address is needed"));
  CHECK_THAT(refused("ld.global.v2.u32 {%r1, %r2, %r3}, [%rd1];"), Contains("a vector of 2"));
  CHECK_THAT(refused("mov.u32 %r1, nowhere;"), Contains("'nowhere' is unknown"));
  CHECK_THAT(refused("mov.u32 %r1, %nothing;"), Contains("'%nothing' is unknown"));
  CHECK_THAT(refused("bra nowhere;"), Contains("no label"));
  CHECK_THAT(refused("call nobody;"), Contains("'nobody' has no body"));
}

TEST_CASE("mutated PTX is read or refused, never worse") {
  std::size_t accepted = 0, refused = 0;
  for (const char* name : kKernels) {
    const std::string original = kernel_text(name, 80);
    const std::uint32_t seed = 20250 + static_cast<std::uint32_t>(original.size());
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 100; ++round) {
      std::string text = original;
      const std::size_t edits = 1 + random() % 3;
      for (std::size_t i = 0; i < edits; ++i) {
        const std::size_t at = random() % text.size(), length = 1 + random() % 40;
        switch (random() % 4) {
          case 0:
            text[at] = static_cast<char>(random() % 256);
            break;
          case 1:
            text.erase(at, length);
            break;
          case 2:
            text.insert(at, text.substr(random() % text.size(), length));
            break;
          default:
            text.resize(at + 1);
        }
      }
      try {
        const Module module = parse_module(text, "mutant");
        ++accepted;
        Device device;
        for (const Function& function : module.functions)
          if (function.is_entry) device.launch(module, function.name, {}, {});  // at the latest the missing arguments are refused
      } catch (const equinorm::Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 100);
  CHECK(accepted > 20);
}

TEST_CASE("the table is well formed") {
  for (const Row& row : rows()) {
    INFO(row.pattern);
    CHECK(std::strlen(row.pattern) > 0);
    CHECK(std::strlen(row.bound) > 0);
  }
  CHECK(match_opcode("add.f32").size() == 1);
  CHECK(match_opcode("add.rn.ftz.f32").size() == 1);
  CHECK(match_opcode("add.rn.rz.f32").empty());
  CHECK(match_opcode("ld.global.nc.L1::evict_last.L2::256B.v4.s32").size() == 1);
  CHECK(match_opcode("").empty());
}
