// Products on a modelled matrix unit: the lanes at each SIMD level, the model one number at a time, and the emulated fp32 chain to compare.
// One thread. The counter `op` is the time of one multiply-add.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "scalar/emulated.hpp"
#include "scalar/rounding.hpp"
#include "scalar/simd.hpp"
#include "scalar/tensor_core.hpp"

namespace {

using namespace equinorm::scalar;

/// The shape of an absorbed decode: 16 heads, latents of 512, a part of the tokens.
constexpr std::int64_t kRows = 16, kColumns = 1024, kDepth = 512;

std::vector<float> operands(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float& x : all) x = static_cast<float>(round_to(kBf16, normal(random)));
  return all;
}

void report(benchmark::State& state, std::int64_t rows) {
  const double count = static_cast<double>(rows * kColumns * kDepth) * static_cast<double>(state.iterations());
  state.counters["op"] = benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void run_matmul(benchmark::State& state, const char* order, SimdLevel level, std::int64_t rows) {
  if (level > detected_simd_level()) return state.SkipWithError("not on this processor");
  const ForcedSimdLevel forced(level);
  const Contraction how{kFp32, true, parse_order(order), false, kBf16};
  const auto a = operands(rows * kDepth, 1), b = operands(kColumns * kDepth, 2);
  std::vector<float> out(static_cast<std::size_t>(rows * kColumns));
  for (auto _ : state) {
    matmul_transposed(how, rows, kColumns, kDepth, a.data(), kDepth, b.data(), kDepth, out.data(), kColumns, false);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report(state, rows);
}

void run_one_by_one(benchmark::State& state) {
  const TensorCore& unit = tensor_core("sm_90", TensorInput::bf16, kFp32);
  const auto a = operands(kDepth, 1), b = operands(kColumns * kDepth, 2);
  for (auto _ : state) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      benchmark::DoNotOptimize(tensor_core_dot(unit, 0, kDepth, a.data(), 1, b.data() + j * kDepth, 1));
    }
  }
  report(state, 1);
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* order : {"tensor-core:sm_80", "tensor-core:sm_90", "sequential"}) {
    for (const std::int64_t rows : {kRows, 8 * kRows}) {
      for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
        const std::string name = std::string(order) + "/bf16/" + std::to_string(rows) + "_rows/" + to_string(level);
        benchmark::RegisterBenchmark(name.c_str(), run_matmul, order, level, rows)->Unit(benchmark::kMillisecond);
      }
    }
  }
  benchmark::RegisterBenchmark("tensor-core:sm_90/bf16/one_by_one", run_one_by_one)->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
