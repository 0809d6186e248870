// What a call of a kernel in a worker process costs beside the kernel: u = p c with 16 MiB of inputs, of which it reads one token.
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>

#include "kernels/runner.hpp"

using namespace equinorm;
using namespace equinorm::kernels;

namespace {

/// c is [1,T,512] in fp32: 8192 tokens are 16 MiB.
Problem problem_of(Index context) {
  Problem problem;
  problem.context = {context};
  problem.heads = problem.groups = 1;
  problem.precision.storage = scalar::kFp32;
  return problem;
}

void overhead(benchmark::State& state, const char* kernel, Index context) {
  const Limits limits;
  const auto runner = open_kernel(std::string(EQUINORM_BAD_KERNELS) + "/" + kernel + ".so", DeviceChoice::as_declared, limits);
  const Problem problem = with_declared_precision(runner->declaration(), problem_of(context));
  Request request;
  request.problem = &problem;
  std::size_t bytes = 0;
  for (const Passed& passed : passed_tensors(runner->declaration(), problem).inputs) {
    tensor::AnyTensor tensor(passed.dtype, passed.spec.shape);
    std::memset(tensor.mutable_bytes(), 0, tensor.byte_size());
    if (passed.spec.name == "context_lengths") {
      const auto length = static_cast<double>(context);
      tensor.write(0, 1, &length);
    }
    bytes += tensor.byte_size();
    request.inputs.emplace(passed.spec.name, tensor);
  }
  double inside = 0;
  for (auto turn : state) {
    const Outcome outcome = runner->run(request);
    if (outcome.status != RunStatus::ok) state.SkipWithError(outcome.detail.c_str());
    inside += outcome.seconds;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
  state.counters["kernel_ms"] = benchmark::Counter(1e3 * inside, benchmark::Counter::kAvgIterations);
}

/// One copy of as many bytes: the floor of what a call costs.
void copying(benchmark::State& state, Index context) {
  std::vector<std::byte> from(static_cast<std::size_t>(context) * 2048), to(from.size());
  for (auto turn : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(from.size()) * static_cast<std::int64_t>(state.iterations()));
}

}  // namespace

BENCHMARK_CAPTURE(overhead, trivial_16_MiB, "trivial", 8192)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(overhead, trivial_paged_16_MiB, "trivial_paged", 8192)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(overhead, trivial_16_KiB, "trivial", 8)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(copying, copy_16_MiB, 8192)->Unit(benchmark::kMillisecond)->UseRealTime();
