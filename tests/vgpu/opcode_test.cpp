// Every arithmetic row against its independent model: exhaustively for one 16-bit operand, else over the edges and random draws; on every
// instruction set.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "scalar/simd.hpp"
#include "vgpu/opcode_models.hpp"
#include "vgpu/opcodes.hpp"

using namespace vgpu_tests;

namespace {

struct Inputs {
  std::vector<u64> x[3];
  std::size_t size() const { return x[0].size(); }
  void push(u64 a, u64 b, u64 c) { x[0].push_back(a), x[1].push_back(b), x[2].push_back(c); }
};

std::vector<u64> edges_of(const OpcodeCase& one, int width) {
  if (!one.is_float) return integer_edges(width);
  std::vector<u64> edges = float_edges(width == 64                                    ? kShape64
                                       : width == 32                                  ? kShape32
                                       : one.opcode.find("bf16") != std::string::npos ? kShapeB16
                                                                                      : kShape16);
  if (one.opcode.find("x2") != std::string::npos && width == 32 && !one.opcode.starts_with("cvt")) {
    edges = float_edges(one.opcode.find("bf16") != std::string::npos ? kShapeB16 : kShape16);
    const std::size_t count = edges.size();
    for (std::size_t i = 0; i < count; ++i) edges[i] |= edges[(i * 7 + 3) % count] << 16;
  }
  return edges;
}

Inputs inputs_of(const OpcodeCase& one, std::mt19937_64& random) {
  Inputs inputs;
  const auto width = [&](std::size_t k) { return k < one.widths.size() ? one.widths[k] : 16; };
  if (one.widths.size() == 1 && one.widths[0] == 16) {
    for (u64 a = 0; a < 65536; ++a) inputs.push(a, 0, 0);
    return inputs;
  }
  const auto ea = edges_of(one, width(0)), eb = edges_of(one, width(1)), ec = edges_of(one, width(2));
  const auto pick = [&](const std::vector<u64>& from) { return from[random() % from.size()]; };
  for (const u64 a : ea)
    for (const u64 b : one.widths.size() > 1 ? eb : std::vector<u64>{0}) inputs.push(a, b, pick(ec));
  const auto draw = [&](std::size_t k, const std::vector<u64>& edges) -> u64 {
    if (random() % 8 == 0) return pick(edges);
    const u64 bits = random() >> (64 - width(k));
    // Floats of similar size meet each other more often.
    if (one.is_float && width(k) == 32 && random() % 2 == 0) return (bits & 0x80ffffff) | 0x3f000000;
    return bits;
  };
  for (int i = 0; i < 600; ++i) inputs.push(draw(0, ea), draw(1, eb), draw(2, ec));
  while (inputs.size() % 32 != 0) inputs.push(0, 0, 0);
  return inputs;
}

std::string substitute(std::string text, const OpcodeCase& one) {
  const auto name = [&](int width, int number) { return (width == 16 ? "%h" : width == 32 ? "%r" : "%rd") + std::to_string(number); };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool alone = (i == 0 || text[i - 1] == ' ') && (i + 1 == text.size() || text[i + 1] == ',' || text[i + 1] == ';');
    if (alone && text[i] >= 'A' && text[i] <= 'C')
      out += name(one.widths.at(static_cast<std::size_t>(text[i] - 'A')), 10 + text[i] - 'A');
    else if (alone && text[i] == 'D')
      out += name(one.result, 15);
    else
      out += text[i];
  }
  return out;
}

/// The kernel of one case: operands from three arrays, the result into the fourth.
std::string kernel_of(const OpcodeCase& one) {
  std::string body =
      "mov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\nmad.lo.u32 %r1, %r2, %r3, %r1;\nmul.wide.u32 %rd9, %r1, 8;\nsetp.ne.u32 %p7, %r1, "
      "%r1;\n";
  const char* const bases[] = {"%rd1", "%rd2", "%rd3"};
  for (std::size_t k = 0; k < one.widths.size(); ++k) {
    const int w = one.widths[k];
    body += std::string("add.s64 %rd20, ") + bases[k] + ", %rd9;\nld.global.b" + std::to_string(w) + " " +
            (w == 16   ? "%h"
             : w == 32 ? "%r"
                       : "%rd") +
            std::to_string(10 + k) + ", [%rd20];\n";
  }
  const int w = one.result;
  body += one.opcode + " " + substitute(one.operands, one) + ";\nadd.s64 %rd20, %rd4, %rd9;\nst.global.b" + std::to_string(w) +
          " [%rd20], " +
          (w == 16   ? "%h"
           : w == 32 ? "%r"
                     : "%rd") +
          "15;\n";
  return body_of(body);
}

std::vector<u64> evaluate(const OpcodeCase& one, const Inputs& inputs) {
  const Module module = parse_module(kernel_of(one), "opcode.ptx");
  Device device;
  std::vector<Argument> arguments;
  for (const auto& x : inputs.x) arguments.push_back(Argument::pointer(device.upload(std::span<const u64>(x))));
  const auto out = device.upload(std::span<const u64>(std::vector<u64>(inputs.size())));
  arguments.push_back(Argument::pointer(out));
  Grid grid;
  grid.blocks = {static_cast<std::uint32_t>(inputs.size() / 32), 1, 1};
  grid.threads = {32, 1, 1};
  REQUIRE(device.launch(module, "test", grid, arguments).findings.empty());
  return device.download<u64>(out, inputs.size());
}

void check(const std::vector<OpcodeCase>& cases) {
  using equinorm::scalar::SimdLevel;
  constexpr u64 kSeed = 20260711;
  for (const OpcodeCase& one : cases) {
    std::mt19937_64 random(kSeed);
    const Inputs inputs = inputs_of(one, random);
    std::vector<u64> expected;
    for (std::size_t i = 0; i < inputs.size(); ++i) expected.push_back(one.model(inputs.x[0][i], inputs.x[1][i], inputs.x[2][i]));
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      if (level > equinorm::scalar::detected_simd_level()) continue;
      const equinorm::scalar::ForcedSimdLevel forced(level);
      const std::vector<u64> got = evaluate(one, inputs);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (got[i] == expected[i]) continue;
        INFO(one.opcode << " " << one.operands << " at level " << to_string(level) << std::hex << ": a 0x" << inputs.x[0][i] << " b 0x"
                        << inputs.x[1][i] << " c 0x" << inputs.x[2][i]);
        CHECK(got[i] == expected[i]);
        break;
      }
    }
  }
  CHECK(cases.size() > 50);
}

}  // namespace

TEST_CASE("integer, bit and comparison instructions") { check(integer_cases()); }
TEST_CASE("floating-point instructions") { check(float_cases()); }
TEST_CASE("conversions") { check(conversion_cases()); }

TEST_CASE("ptxas accepts every kernel of these tests") {
  // One entry for each case in one file; the newest target that is no family of its own, for some forms are new.
  std::string text = ".version 8.6\n.target sm_100\n.address_size 64\n";
  int number = 0;
  for (const auto& cases : {integer_cases(), float_cases(), conversion_cases()})
    for (const OpcodeCase& one : cases) {
      const std::string kernel = kernel_of(one);
      text += "// " + one.opcode + "\n" +
              replaced(kernel.substr(kernel.find(".visible")), ".entry test", ".entry test" + std::to_string(++number));
    }
  const char* named = std::getenv("PTXAS");
  const std::string ptxas = named != nullptr ? named : "ptxas";
  if (std::system((ptxas + " --version > /dev/null 2>&1").c_str()) != 0) {
    WARN("not checked: there is no ptxas (set PTXAS, or PATH)");
    return;
  }
  const std::string path = std::filesystem::temp_directory_path() / ("equinorm_opcodes_" + std::to_string(getpid()));
  std::ofstream(path + ".ptx") << text;
  const int status = std::system((ptxas + " -arch=sm_100 -O0 -o /dev/null " + path + ".ptx > " + path + ".log 2>&1").c_str());
  std::stringstream log;
  log << std::ifstream(path + ".log").rdbuf();
  INFO(log.str());
  CHECK(status == 0);
  std::filesystem::remove(path + ".ptx");
  std::filesystem::remove(path + ".log");
}

TEST_CASE("every arithmetic row has a golden test") {
  std::set<int> tested;
  for (const auto& cases : {integer_cases(), float_cases(), conversion_cases()})
    for (const OpcodeCase& one : cases)
      for (const Form& form : match_opcode(one.opcode)) tested.insert(form.row);
  // Rows tested elsewhere: memory and warp instructions, tensor cores, flow, packing; sin and cos below.
  const std::set<std::string> elsewhere{"mov",  "mov_pack",   "mov_unpack", "cvta",  "ld",    "st",       "atom",     "red", "cp",  "shfl",
                                        "vote", "activemask", "match",      "redux", "elect", "ldmatrix", "stmatrix", "mma", "sin", "cos"};
  std::size_t untested = 0;
  for (std::size_t row = 0; row < rows().size(); ++row) {
    const std::string word = std::string(rows()[row].pattern).substr(0, std::string(rows()[row].pattern).find(' '));
    const bool is_predicate = std::string(rows()[row].pattern).find(".pred") != std::string::npos;
    if (rows()[row].exactness == Exactness::control || elsewhere.count(word) != 0 || is_predicate ||
        tested.count(static_cast<int>(row)) != 0)
      continue;
    ++untested;
    UNSCOPED_INFO("untested: " << rows()[row].pattern);
  }
  CHECK(untested == 0);
}

TEST_CASE("sin and cos are correctly rounded, too") {
  for (const float x : {0.0f, 1.0f, -2.5f, 100.25f, 0x1p-130f}) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &x, 4);
    const Ran ran =
        run_body("ld.global.f32 %f1, [%rd1];\nsin.approx.f32 %f2, %f1;\ncos.approx.f32 %f3, %f1;\nst.global.v2.f32 [%rd3], {%f2, %f3};",
                 {bits}, {}, 2, 1);
    float sine = 0, cosine = 0;
    std::memcpy(&sine, &ran.out[0], 4);
    std::memcpy(&cosine, &ran.out[1], 4);
    CHECK(sine == static_cast<float>(std::sin(static_cast<double>(x))));
    CHECK(cosine == static_cast<float>(std::cos(static_cast<double>(x))));
  }
}

TEST_CASE("shuffles, votes, matches, reductions, atomics, predicates, packing") {
  const auto lanes = [](const std::string& body) {
    return run_body("add.s64 %rd10, %rd3, %rd9;\nmul.lo.u32 %r2, %r1, 10;\n" + body + "\nst.global.u32 [%rd10], %r3;", {}, {}, 32).out;
  };
  for (std::uint32_t i = 0; i < 32; ++i) {
    INFO("lane " << i);
    CHECK(lanes("shfl.sync.up.b32 %r3, %r2, 3, 0, -1;")[i] == 10 * (i >= 3 ? i - 3 : i));
    CHECK(lanes("shfl.sync.down.b32 %r3|%p1, %r2, 5, 31, -1;\n@!%p1 mov.u32 %r3, 7;")[i] == (i + 5 < 32 ? 10 * (i + 5) : 7));
    CHECK(lanes("shfl.sync.bfly.b32 %r3, %r2, 9, 31, -1;")[i] == 10 * (i ^ 9));
    CHECK(lanes("shfl.sync.idx.b32 %r3, %r2, 2, 0x181f, -1;")[i] == 10 * (i / 8 * 8 + 2));  // segments of 8
    CHECK(lanes("shfl.sync.up.b32 %r3, %r2, 1, 0x1800, -1;")[i] == 10 * (i % 8 == 0 ? i : i - 1));
    CHECK(lanes("setp.lt.u32 %p1, %r1, 5;\nvote.sync.ballot.b32 %r3, %p1, -1;")[i] == 31);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 5;\nvote.sync.any.pred %p2, %p1, -1;\nselp.u32 %r3, 1, 0, %p2;")[i] == 1);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 5;\nvote.sync.all.pred %p2, !%p1, -1;\nselp.u32 %r3, 1, 0, %p2;")[i] == 0);
    CHECK(lanes("mov.u32 %r3, 0;\nsetp.lt.u32 %p1, %r1, 5;\n@%p1 activemask.b32 %r3;")[i] == (i < 5 ? 31 : 0));
    CHECK(lanes("and.b32 %r4, %r1, 3;\nmatch.any.sync.b32 %r3, %r4, -1;")[i] == 0x11111111u << (i % 4));
    CHECK(lanes("match.all.sync.b32 %r3|%p1, %r1, -1;")[i] == 0);
    CHECK(lanes("redux.sync.add.s32 %r3, %r1, -1;")[i] == 496);
    CHECK(lanes("redux.sync.max.u32 %r3, %r2, -1;")[i] == 310);
    CHECK(lanes("elect.sync _|%p1, -1;\nselp.u32 %r3, 1, 0, %p1;")[i] == (i == 0 ? 1 : 0));
    CHECK(lanes("mov.b32 {%h1, %h2}, %r2;\nmov.b32 %r3, {%h2, %h1};")[i] == (10 * i) << 16);
    CHECK(lanes("mov.b64 %rd20, {%r2, %r1};\nshr.u64 %rd20, %rd20, 32;\ncvt.u32.u64 %r3, %rd20;")[i] == i);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nsetp.gt.u32 %p2, %r1, 3;\nand.pred %p3, %p1, %p2;\nxor.pred %p3, %p3, %p1;\nnot.pred %p3, "
                "%p3;\nselp.u32 %r3, 1, 0, %p3;")[i] == (i > 3 ? 1 : 0));
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nsetp.gt.and.u32 %p2|%p3, %r1, 3, !%p1;\nselp.u32 %r3, 1, 0, %p3;")[i] == 0);
  }
  for (std::uint32_t i = 0; i < 32; ++i) {
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nbar.red.popc.u32 %r3, 0, %p1;")[i] == 9);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nbar.cta.red.popc.u32 %r3, 1, 32, !%p1;")[i] == 23);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nbarrier.cta.red.or.aligned.pred %p2, 0, %p1;\nselp.u32 %r3, 1, 0, %p2;")[i] == 1);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 9;\nbar.red.and.pred %p2, 0, %p1;\nselp.u32 %r3, 1, 0, %p2;")[i] == 0);
    CHECK(lanes("setp.lt.u32 %p1, %r1, 99;\nbar.red.and.pred %p2, 0, %p1;\nselp.u32 %r3, 1, 0, %p2;")[i] == 1);
  }
  const auto total = [](const std::string& operation, std::vector<std::uint32_t> start) {
    const Ran ran =
        run_body(operation + "\nbar.sync 0;\nld.global.u32 %r5, [%rd1];\nst.global.u32 [%rd3], %r5;", std::move(start), {}, 1, 64);
    CHECK(ran.report.findings.empty());
    return ran.out[0];
  };
  CHECK(total("atom.global.add.u32 %r4, [%rd1], %r1;", {5}) == 2021);
  CHECK(total("red.global.max.s32 [%rd1], %r1;", {0x80000000u}) == 63);
  CHECK(total("red.global.min.u32 [%rd1], %r1;", {7}) == 0);
  CHECK(total("red.global.or.b32 [%rd1], %r1;", {0}) == 63);
  CHECK(total("atom.global.inc.u32 %r4, [%rd1], 10;", {0}) == 64 % 11);
  CHECK(total("atom.global.dec.u32 %r4, [%rd1], 10;", {0}) == (0 + 11 * 6 - 64) % 11);
  CHECK(total("atom.global.cas.b32 %r4, [%rd1], %r1, 64;", {0}) == 64);
  CHECK(total("red.global.add.f32 [%rd1], 0f3f800000;", {0}) == 0x42800000u);
  CHECK(total("red.global.add.noftz.f16x2 [%rd1], %r7;", {0x3c003c00u}) == 0x3c003c00u);
}
