// Multiply-adds per second of the prime field's matrix product on one thread, at every SIMD level that the processor has.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <vector>

#include "scalar/prime_field.hpp"
#include "scalar/simd.hpp"

namespace {

using namespace equinorm::scalar;

std::vector<FieldElement> random_matrix(std::int64_t size) {
  std::mt19937_64 random(1);
  std::vector<FieldElement> result(static_cast<std::size_t>(size));
  for (FieldElement& element : result) element = {random() % kFieldPrime};
  return result;
}

/// Arguments: level, m, n, depth.
void bm_matmul(benchmark::State& state) {
  const auto level = static_cast<SimdLevel>(state.range(0));
  state.SetLabel(to_string(level));
  if (level > detected_simd_level()) {
    state.SkipWithError("the processor lacks this level");
    return;
  }
  const ForcedSimdLevel forced(level);
  const std::int64_t m = state.range(1), n = state.range(2), depth = state.range(3);
  const std::vector<FieldElement> a = random_matrix(m * depth);
  const std::vector<FieldElement> b = random_matrix(depth * n);
  std::vector<FieldElement> out(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    matmul(m, n, depth, a.data(), depth, b.data(), n, out.data(), n, false);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.counters["multiply-adds"] =
      benchmark::Counter(static_cast<double>(m * n * depth), benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

void bm_dot(benchmark::State& state) {
  const std::int64_t length = state.range(0);
  const std::vector<FieldElement> a = random_matrix(length);
  for (auto _ : state) {
    FieldElement result = dot(length, a.data(), 1, a.data(), 1);
    benchmark::DoNotOptimize(result);
  }
  state.counters["multiply-adds"] =
      benchmark::Counter(static_cast<double>(length), benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

BENCHMARK(bm_matmul)
    ->ArgNames({"level", "m", "n", "depth"})
    ->ArgsProduct({{0, 1, 2}, {4096}, {128}, {512}})
    ->ArgsProduct({{0, 1, 2}, {1, 64, 512}, {512}, {512}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bm_dot)->Arg(512)->Arg(65536);

}  // namespace
