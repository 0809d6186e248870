// What a call of a kernel in a worker process costs beside the kernel, with 16 MiB of tensors: as a whole, by part, and a copy of as many
// bytes. `stay`: the caller promises that its inputs keep their bytes (Request::inputs_stay); p is another one in each call, as a query is.
// Then of a kernel that is a persistent process and gets its inputs as a file: one of another name where any of them changed, so that here
// all of them stay, as in the repeated runs of `check`.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/call_memory.hpp"
#include "kernels/runner.hpp"

using namespace equinorm;
using namespace equinorm::kernels;

namespace {

/// In fp32: c [1,T,512], 8192 tokens are 16 MiB; of stage output u and o [1,S,4,512], 1024 queries are 8 MiB each (and w_v 1 MiB).
Problem problem_of(Index context, Index queries) {
  Problem problem;
  problem.context = {context}, problem.queries = queries;
  problem.heads = queries > 1 ? 4 : 1, problem.groups = 1;
  problem.value_dim = 512;
  problem.precision.storage = scalar::kFp32;
  return problem;
}

struct Call {
  std::unique_ptr<Runner> runner;
  Problem problem;
  Request request;
  PassedTensors passed;
  std::vector<tensor::AnyTensor> queries;  ///< that take turns as p
  std::size_t turn = 0, bytes = 0;

  Call(const char* kernel, Index context, Index query_count, bool stay)
      : Call(open_kernel(std::string(EQUINORM_BAD_KERNELS) + "/" + kernel + ".so", DeviceChoice::as_declared, Limits{}),
             problem_of(context, query_count), stay) {}
  Call(std::unique_ptr<Runner> kernel, const Problem& case_of, bool stay) : runner(std::move(kernel)) {
    problem = with_declared_precision(runner->declaration(), case_of);
    const Index context = problem.max_context();
    passed = passed_tensors(runner->declaration(), problem);
    request.problem = &problem, request.inputs_stay = stay;
    for (const Passed& input : passed.inputs) {
      tensor::AnyTensor tensor(input.dtype, input.spec.shape);
      if (input.spec.name == "context_lengths") {
        const auto length = static_cast<double>(context);
        tensor.write(0, 1, &length);
      }
      bytes += tensor.byte_size();
      request.inputs.emplace(input.spec.name, tensor);
      if (input.spec.name == "p") queries = {tensor, tensor::AnyTensor(input.dtype, input.spec.shape)};
    }
    for (const Passed& output : passed.outputs)
      bytes += static_cast<std::size_t>(tensor::element_count(output.spec.shape)) * tensor::size_of(output.dtype);
  }

  void next() {
    if (!queries.empty()) request.inputs.insert_or_assign("p", queries[turn++ % queries.size()]);
  }
};

void whole(benchmark::State& state, const char* kernel, Index context, Index queries, bool stay) {
  Call call(kernel, context, queries, stay);
  double inside = 0;
  Outcome outcome = call.runner->run(call.request);
  const auto begin = std::chrono::steady_clock::now();
  for (auto turn : state) {
    call.next();
    outcome = {};
    outcome = call.runner->run(call.request);
    if (outcome.status != RunStatus::ok) state.SkipWithError(outcome.detail.c_str());
    inside += outcome.seconds;
  }
  const double all = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  state.counters["MiB"] = static_cast<double>(call.bytes) / 0x1p20;
  state.counters["beside_kernel_ms"] = benchmark::Counter(1e3 * (all - inside), benchmark::Counter::kAvgIterations);
}

/// A process answers that it is done, and writes its outputs; the judge writes the inputs' file, or names the one that it wrote before.
void process(benchmark::State& state, Index context, bool stay) {
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "equinorm-bench-XXXXXX").string();
  const fs::path link = fs::path(mkdtemp(folder.data())) / "honest";  // under this name it does as it is told
  fs::permissions(folder, fs::perms(0755));                           // or a uid of its own could not go there
  fs::create_symlink(fs::path(EQUINORM_TEST_FOLDER) / "kernels/bad_processes/misbehaving", link);
  Problem problem = problem_of(context, 1);
  problem.rope_dim = 0;
  Call call(open_kernel(link, DeviceChoice::as_declared, Limits{}), problem, stay);
  Outcome outcome = call.runner->run(call.request);
  for (auto turn : state) {
    outcome = {};
    outcome = call.runner->run(call.request);
    if (outcome.status != RunStatus::ok) state.SkipWithError(outcome.detail.c_str());
  }
  state.counters["MiB"] = static_cast<double>(call.bytes) / 0x1p20;
  state.SetLabel(call.runner->description());
  fs::remove_all(folder);
}

/// The judge's own part of a call, before the kernel's turn or after it.
void part(benchmark::State& state, const char* kernel, Index context, Index queries, bool stay, bool before) {
  Call call(kernel, context, queries, stay);
  CallMemory memory;
  auto wire = std::make_unique<WireRequest>();
  for (auto turn : state) {
    if (before) {
      state.PauseTiming();
      Outcome looked;
      looked.status = RunStatus::ok;
      memory.prepare(call.passed, call.request, *wire);
      memory.inspect(call.request, looked);
      call.next();
      state.ResumeTiming();
      memory.prepare(call.passed, call.request, *wire);
      continue;
    }
    state.PauseTiming();
    memory.prepare(call.passed, call.request, *wire);
    Outcome outcome;
    outcome.status = RunStatus::ok;
    state.ResumeTiming();
    memory.inspect(call.request, outcome);
    state.PauseTiming();
    outcome = {};
    state.ResumeTiming();
  }
}

/// One copy of as many bytes: the floor of what handing them over costs.
void copying(benchmark::State& state, std::size_t bytes) {
  std::vector<std::byte> from(bytes), to(bytes);
  for (auto turn : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
}

}  // namespace

#define EQUINORM_CALL(function, ...) BENCHMARK_CAPTURE(function, __VA_ARGS__)->Unit(benchmark::kMillisecond)->UseRealTime()
EQUINORM_CALL(whole, inputs_16_MiB_stay, "one_millisecond", 8192, 1, true);
EQUINORM_CALL(whole, inputs_16_MiB, "one_millisecond", 8192, 1, false);
EQUINORM_CALL(whole, paged_inputs_16_MiB_stay, "trivial_paged", 8192, 1, true);
EQUINORM_CALL(whole, paged_inputs_16_MiB, "trivial_paged", 8192, 1, false);
EQUINORM_CALL(whole, inputs_8_outputs_8_MiB_stay, "trivial_output", 1, 1024, true);
EQUINORM_CALL(whole, inputs_8_outputs_8_MiB, "trivial_output", 1, 1024, false);
EQUINORM_CALL(whole, tensors_16_KiB, "trivial", 8, 1, false);
EQUINORM_CALL(part, before_inputs_16_MiB_stay, "trivial", 8192, 1, true, true);
EQUINORM_CALL(part, before_inputs_16_MiB, "trivial", 8192, 1, false, true);
EQUINORM_CALL(part, before_outputs_8_MiB_stay, "trivial_output", 1, 1024, true, true);
EQUINORM_CALL(part, after_outputs_8_MiB, "trivial_output", 1, 1024, true, false);
EQUINORM_CALL(process, process_inputs_16_MiB_stay, 16384, true);
EQUINORM_CALL(process, process_inputs_16_MiB, 16384, false);
EQUINORM_CALL(process, process_tensors_16_KiB, 16, false);
EQUINORM_CALL(copying, copy_16_MiB, std::size_t{16} << 20);
EQUINORM_CALL(copying, copy_8_MiB, std::size_t{8} << 20);
