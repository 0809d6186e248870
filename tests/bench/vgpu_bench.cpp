// The virtual GPU on the plain absorbed decode: 16 heads, 4096 keys, r = 512. lane_rate is lane instructions a second, on one core.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>

#include "vgpu/device.hpp"

namespace {

using namespace equinorm::vgpu;

void run(benchmark::State& state, int keys, const Options& options) {
  constexpr int kHeads = 16, kRank = 512;
  std::ifstream file(EQUINORM_TEST_FOLDER "/vgpu/kernels/absorbed_decode.sm_80.ptx");
  std::stringstream text;
  text << file.rdbuf();
  const Module module = parse_module(text.str(), "absorbed_decode.ptx");
  Device device;
  const std::vector<float> values(static_cast<std::size_t>(keys) * kRank, 0.25f);
  const auto cache = device.upload(std::span<const float>(values)), out = device.allocate(4 * kHeads * kRank);
  Grid grid;
  grid.blocks = {kHeads, 1, 1};
  grid.threads = {256, 1, 1};
  const std::vector<Argument> arguments{Argument::pointer(cache), Argument::pointer(cache), Argument::pointer(cache),
                                        Argument::pointer(out),   Argument::of(keys),       Argument::of(0.03f)};
  double lanes = 0;
  for (auto _ : state) {
    const LaunchReport report = device.launch(module, "absorbed_decode", grid, arguments, options);
    if (!report.finished || !report.findings.empty()) state.SkipWithError("the kernel failed");
    lanes += static_cast<double>(report.lane_instructions);
  }
  state.counters["lane_rate"] = benchmark::Counter(lanes, benchmark::Counter::kIsRate);
}

void decode_plain(benchmark::State& state) {
  Options options;
  options.races = false;
  run(state, 4096, options);
}
void decode_with_races(benchmark::State& state) { run(state, 4096, {}); }
void decode_short(benchmark::State& state) {
  Options options;
  options.races = false;
  run(state, 128, options);
}
void decode_with_shadows(benchmark::State& state) {
  Options options;
  options.races = false;
  options.shadows = true;
  run(state, 128, options);
}

void decode_with_threads(benchmark::State& state) {
  Options options;
  options.races = false;
  options.threads = static_cast<int>(state.range(0));
  run(state, 4096, options);
}
void decode_with_kind(benchmark::State& state, ShadowKind kind) {
  Options options;
  options.races = false;
  options.shadows = true;
  options.shadow_kind = kind;
  run(state, 16, options);
}

BENCHMARK(decode_plain)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_with_races)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_short)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_with_shadows)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_with_threads)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(decode_with_kind, double, ShadowKind::plain_double)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, double_double, ShadowKind::double_double)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, ball, ShadowKind::ball)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, arbitrary, ShadowKind::arbitrary)->Unit(benchmark::kMillisecond);

}  // namespace
