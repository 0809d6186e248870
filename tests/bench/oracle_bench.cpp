// Seconds that certified outputs take, and what they are worth. oracle_vs_torch.py puts PyTorch beside them.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "inputs/generate.hpp"
#include "oracle/oracle.hpp"
#include "problem/builtin.hpp"

namespace {

using namespace equinorm;

/// 16 heads and groups, r 512, d_c 128, d_r 64, d_v 128, one query, blockwise rms norm.
problem::Problem paper_problem(scalar::Format format, problem::Index context) {
  problem::Problem problem = *problem::find_builtin("paper-tp8");
  problem.context = {context};
  problem.precision.storage = format;
  return problem;
}

/// log2 of the largest radius of u, each relative to the largest |u| of its head.
double radius_log2(const oracle::EnclosedTensor& u, problem::Index latent) {
  double widest = 0;
  for (problem::Index row = 0; row < u.value.size(); row += latent) {
    double largest = 0, radius = 0;
    for (problem::Index m = row; m < row + latent; ++m) {
      largest = std::max(largest, std::fabs(u.value[m]));
      radius = std::max(radius, u.low_radius[m]);
    }
    widest = std::max(widest, radius / largest);
  }
  return std::log2(widest);
}

double peak_gib() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kib;
  }
  return kib / (1 << 20);
}

/// Two threads; the whole process, inputs included, counts as memory. `later`: a step on a cache whose statistics are known.
void bm_enclose(benchmark::State& state, scalar::Format format, problem::Index context, bool later) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, 2);
  const problem::Problem problem = paper_problem(format, context);
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  std::optional<oracle::KeyStatistics> statistics;
  if (later) statistics.emplace(problem, inputs);
  oracle::Enclosures result;
  for (auto _ : state) result = oracle::enclose(problem, inputs, {"lse", "u", "o"}, later ? &*statistics : nullptr);
  state.counters["radius_log2"] = radius_log2(result.at("u"), problem.latent);
  state.counters["peak_GiB"] = peak_gib();
}

/// Contexts: 4096, or the one that EQUINORM_BENCH_CONTEXT names.
const bool registered = [] {
  const char* text = std::getenv("EQUINORM_BENCH_CONTEXT");
  const problem::Index context = text != nullptr ? std::atoll(text) : 4096;
  for (const auto& [name, format] :
       {std::pair{"bf16", scalar::kBf16}, std::pair{"fp16", scalar::kFp16}, std::pair{"fp32", scalar::kFp32}}) {
    for (const bool later : {false, true}) {
      const std::string title = "bm_enclose/" + std::string(name) + (later ? "/later" : "/first");
      benchmark::RegisterBenchmark(title.c_str(), bm_enclose, format, context, later)
          ->Unit(benchmark::kMillisecond)
          ->MeasureProcessCPUTime()
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
