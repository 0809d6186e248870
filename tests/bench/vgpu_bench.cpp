// The virtual GPU on the plain absorbed decode: 16 heads, 4096 keys, r = 512. lane_rate is lane instructions a second, on one core.
#include <benchmark/benchmark.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "vgpu/device.hpp"

namespace {

using namespace equinorm::vgpu;

constexpr int kHeads = 16, kRank = 512;

/// A device with the decode of some heads on it.
class Decode {
 public:
  Decode(int keys, int heads) {
    std::ifstream file(EQUINORM_TEST_FOLDER "/vgpu/kernels/absorbed_decode.sm_80.ptx");
    std::stringstream text;
    text << file.rdbuf();
    module_ = parse_module(text.str(), "absorbed_decode.ptx");
    const std::vector<float> values(static_cast<std::size_t>(keys) * kRank, 0.25f);
    const auto cache = device_.upload(std::span<const float>(values)), out = device_.allocate(4 * kHeads * kRank);
    grid_.blocks = {static_cast<std::uint32_t>(heads), 1, 1};
    grid_.threads = {256, 1, 1};
    arguments_ = {Argument::pointer(cache), Argument::pointer(cache), Argument::pointer(cache),
                  Argument::pointer(out),   Argument::of(keys),       Argument::of(0.03f)};
  }
  /// Lane instructions; 0 if it failed.
  double launch(const Options& options) {
    const LaunchReport report = device_.launch(module_, "absorbed_decode", grid_, arguments_, options);
    return report.finished && report.findings.empty() ? static_cast<double>(report.lane_instructions) : 0.0;
  }

 private:
  Module module_;
  Device device_;
  Grid grid_;
  std::vector<Argument> arguments_;
};

void run(benchmark::State& state, int keys, const Options& options) {
  Decode decode(keys, kHeads);
  double lanes = 0;
  for (auto _ : state) {
    const double done = decode.launch(options);
    if (done == 0) state.SkipWithError("the kernel failed");
    lanes += done;
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
  options.threads = static_cast<int>(state.range(0));
  run(state, 4096, options);
}
/// As many threads on devices of their own, the heads shared out among them: what the machine gives to threads that share nothing.
void decode_on_devices(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<std::unique_ptr<Decode>> decodes;
  for (std::size_t i = 0; i < count; ++i) decodes.push_back(std::make_unique<Decode>(4096, kHeads / static_cast<int>(count)));
  std::vector<double> lanes(count * 8);  // a cache line each
  for (auto _ : state) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { lanes[i * 8] += decodes[i]->launch({}); });
  }
  double sum = 0;
  for (const double x : lanes) sum += x;
  state.counters["lane_rate"] = benchmark::Counter(sum, benchmark::Counter::kIsRate);
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
BENCHMARK(decode_on_devices)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(decode_with_kind, double, ShadowKind::plain_double)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, double_double, ShadowKind::double_double)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, ball, ShadowKind::ball)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_with_kind, arbitrary, ShadowKind::arbitrary)->Unit(benchmark::kMillisecond);

}  // namespace
