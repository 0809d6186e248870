// What the tests of the virtual GPU share: the kernels' PTX, random numbers, running a piece of PTX.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "scalar/error.hpp"
#include "vgpu/device.hpp"

namespace vgpu_tests {

using namespace equinorm::vgpu;

inline std::string kernel_text(const std::string& name, int target) {
  const std::string path = EQUINORM_TEST_FOLDER "/vgpu/kernels/" + name + ".sm_" + std::to_string(target) + ".ptx";
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (text.str().empty()) throw equinorm::Error("no " + path);
  return text.str();
}

inline Module kernel_module(const std::string& name, int target) { return parse_module(kernel_text(name, target), name + ".ptx"); }

/// Replaces the `which`-th occurrence (from 0) of a text; throws if there is none: a mutant that changes nothing would prove nothing.
inline std::string replaced(std::string text, const std::string& from, const std::string& to, int which = 0) {
  std::size_t at = text.find(from);
  while (at != std::string::npos && which-- > 0) at = text.find(from, at + 1);
  if (at == std::string::npos) throw equinorm::Error("nothing to replace: " + from);
  return text.replace(at, from.size(), to);
}

inline std::vector<float> random_floats(std::size_t count, std::uint32_t seed, float spread = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> values(count);
  for (float& x : values) x = normal(random);
  return values;
}

inline std::uint16_t to_bf16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, 4);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(std::uint16_t x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x) << 16;
  float value = 0;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline std::vector<std::uint16_t> random_bf16(std::size_t count, std::uint32_t seed, float spread = 1.0f) {
  std::vector<std::uint16_t> values;
  for (const float x : random_floats(count, seed, spread)) values.push_back(to_bf16(x));
  return values;
}

/// A kernel `test` around a body: parameters are u64 addresses a, b, c, d in %rd1..%rd4; %r1 is the thread, %rd9 = 4 * thread.
inline std::string body_of(const std::string& body, const std::string& declarations = "") {
  return ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry test(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 "
         "d)\n{\n"
         ".reg .pred %p<8>;\n.reg .b16 %h<16>;\n.reg .b32 %r<32>;\n.reg .f32 %f<16>;\n.reg .f64 %fd<8>;\n.reg .b64 %rd<32>;\n" +
         declarations +
         "ld.param.u64 %rd1, [a];\nld.param.u64 %rd2, [b];\nld.param.u64 %rd3, [c];\nld.param.u64 %rd4, [d];\n"
         "mov.u32 %r1, %tid.x;\nmul.wide.u32 %rd9, %r1, 4;\n" +
         body + "\nret;\n}\n";
}

struct Ran {
  LaunchReport report;
  std::vector<std::uint32_t> out;
};

/// Runs body_of(body) with `threads` threads; a and b are inputs (may be empty), c is an output of `outputs` words.
inline Ran run_body(const std::string& body, std::vector<std::uint32_t> a, std::vector<std::uint32_t> b, std::size_t outputs,
                    std::uint32_t threads = 32, const Options& options = {}, const std::string& declarations = "") {
  const Module module = parse_module(body_of(body, declarations), "test.ptx");
  Device device;
  const auto pa = device.upload(std::span<const std::uint32_t>(a)), pb = device.upload(std::span<const std::uint32_t>(b));
  const auto pc = device.allocate(4 * outputs);
  Grid grid;
  grid.threads = {threads, 1, 1};
  const std::vector<Argument> arguments{Argument::pointer(pa), Argument::pointer(pb), Argument::pointer(pc),
                                        Argument::of(std::uint64_t{0})};
  Ran ran;
  ran.report = device.launch(module, "test", grid, arguments, options);
  ran.out = device.download<std::uint32_t>(pc, outputs);
  return ran;
}

inline std::string all(const LaunchReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += to_string(finding) + "\n";
  return text;
}

}  // namespace vgpu_tests
