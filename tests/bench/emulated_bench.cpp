// Matrix products with every operation rounded: this library's kernels against the same loop on Eigen's 16-bit scalars. One thread.
// The counter `op` is the time of one rounded operation (two per multiply-add when not fused, as on the Eigen side; one when fused).
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "scalar/emulated.hpp"
#include "scalar/rounding.hpp"
#include "scalar/simd.hpp"

namespace {

using namespace equinorm::scalar;

constexpr std::int64_t kRows = 64, kColumns = 256, kDepth = 256;

template <class T>
std::vector<T> operands(Format format, std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> all(static_cast<std::size_t>(count));
  for (T& x : all) x = static_cast<T>(round_to(format, normal(random)));
  return all;
}

void report(benchmark::State& state, std::int64_t rows, int operations) {
  const double count = static_cast<double>(rows * kColumns * kDepth * operations) * static_cast<double>(state.iterations());
  state.counters["op"] = benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class T>
void run_emulated(benchmark::State& state, Format format, bool fused, const char* order, SimdLevel level, std::int64_t rows) {
  if (level > detected_simd_level()) return state.SkipWithError("not on this processor");
  const ForcedSimdLevel forced(level);
  const Contraction how{format, fused, parse_order(order), false};
  const auto a = operands<T>(format, rows * kDepth, 1), b = operands<T>(format, kDepth * kColumns, 2);
  std::vector<T> out(static_cast<std::size_t>(rows * kColumns));
  for (auto _ : state) {
    matmul(how, rows, kColumns, kDepth, a.data(), kDepth, b.data(), kColumns, out.data(), kColumns, false);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report(state, rows, fused ? 1 : 2);
}

/// The plain loop, with the columns innermost so that the compiler may interleave chains. `fused` has no counterpart here.
template <class Scalar>
void run_eigen_scalars(benchmark::State& state, Format format) {
  const auto a_values = operands<float>(format, kRows * kDepth, 1), b_values = operands<float>(format, kDepth * kColumns, 2);
  std::vector<Scalar> a(a_values.size()), b(b_values.size()), out(static_cast<std::size_t>(kRows * kColumns));
  std::transform(a_values.begin(), a_values.end(), a.begin(), [](float x) { return Scalar(x); });
  std::transform(b_values.begin(), b_values.end(), b.begin(), [](float x) { return Scalar(x); });
  for (auto _ : state) {
    std::fill(out.begin(), out.end(), Scalar(0.0f));
    for (std::int64_t i = 0; i < kRows; ++i) {
      for (std::int64_t k = 0; k < kDepth; ++k) {
        const Scalar left = a[static_cast<std::size_t>(i * kDepth + k)];
        for (std::int64_t j = 0; j < kColumns; ++j) {
          out[static_cast<std::size_t>(i * kColumns + j)] += left * b[static_cast<std::size_t>(k * kColumns + j)];
        }
      }
    }
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report(state, kRows, 2);
}

template <class T>
void register_emulated(Format format, const char* order, std::int64_t rows) {
  for (const bool fused : {false, true}) {
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      const std::string name = std::string("emulated/") + (sizeof(T) == 4 ? "float/" : "double/") + to_string(format) + "/" + order +
                               (fused ? "/fused/" : "/two_roundings/") + std::to_string(rows) + "_rows/" + to_string(level);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) { run_emulated<T>(state, format, fused, order, level, rows); });
    }
  }
}

const bool registered = [] {
  benchmark::RegisterBenchmark("eigen_scalars/fp16", [](benchmark::State& state) { run_eigen_scalars<Eigen::half>(state, kFp16); });
  benchmark::RegisterBenchmark("eigen_scalars/bf16", [](benchmark::State& state) { run_eigen_scalars<Eigen::bfloat16>(state, kBf16); });
  for (const Format format : {kFp16, kBf16, kFp32}) {
    for (const char* order : {"sequential", "pairwise", "blocked:32"}) register_emulated<float>(format, order, kRows);
    register_emulated<float>(format, "sequential", 1);
  }
  register_emulated<double>(kFp32, "sequential", kRows);
  register_emulated<double>(kFp64, "sequential", kRows);
  return true;
}();

}  // namespace
