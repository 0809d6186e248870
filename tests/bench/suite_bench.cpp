// What a user waits for: the prime-field check of a model's slice, and a whole case of the default suite, through library calls.
#include <benchmark/benchmark.h>

#include "commands/arithmetics.hpp"
#include "commands/exact_checks.hpp"
#include "commands/measure_paths.hpp"
#include "commands/reference.hpp"
#include "exact/equality.hpp"
#include "inputs/generate.hpp"
#include "problem/builtin.hpp"

namespace {

using namespace equinorm;

/// Argument: context.
void bm_prime_field_paper_tp8(benchmark::State& state) {
  problem::Problem problem = *problem::find_builtin("paper-tp8");
  problem.context = {state.range(0)};
  std::int64_t numbers = 0;
  for (auto _ : state) {
    const exact::Equality result = exact::check_in_field(problem, 1);
    if (result.equal != Truth::yes) state.SkipWithError("the forms came out different");
    numbers += result.elements;
  }
  state.counters["numbers"] = benchmark::Counter(static_cast<double>(numbers), benchmark::Counter::kIsRate);
}

/// Exact checks, reference and every default arithmetic of one built-in case.
void bm_case(benchmark::State& state, const char* name) {
  const problem::Problem problem = *problem::find_builtin(name);
  for (auto _ : state) {
    verdict::CaseResult result;
    const tensor::TensorMap inputs = inputs::generate_inputs(problem);
    result.checks = {commands::prime_field_check(problem, ""), commands::rational_check(problem, ""),
                     commands::ladder_check(problem, inputs, "")};
    const std::set<std::string> names{"logits", "lse", "o"};
    commands::StorageViews views(problem, {inputs, commands::certified_reference(problem, inputs, names).tensors}, names);
    for (const auto& [arithmetic, description] : commands::arithmetic_names()) {
      commands::measure_paths(commands::find_arithmetic(arithmetic, problem), views, names, result);
    }
    if (exit_code(verdicts(result)) != 0) state.SkipWithError("a check of the case did not hold");
    benchmark::DoNotOptimize(result.errors.data());
  }
}

BENCHMARK(bm_prime_field_paper_tp8)->ArgName("context")->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(bm_case, paper_tp8_1k, "paper-tp8-1k")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(bm_case, gqa_full_width, "gqa-full-width")->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
