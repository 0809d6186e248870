// Keys and values are made group by group, some tokens at a time: that changes no bound, and keeps memory below what all groups would take.
#include <malloc.h>
#include <tbb/global_control.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "bounds/bound_run.hpp"
#include "bounds/judge.hpp"
#include "inputs/generate.hpp"
#include "inputs/round.hpp"
#include "paths/path.hpp"
#include "reference/random_problem.hpp"

namespace {

std::atomic<std::int64_t> live_bytes{0}, peak_bytes{0};

void count(std::int64_t more) {
  const std::int64_t now = live_bytes.fetch_add(more) + more;
  std::int64_t peak = peak_bytes.load();
  while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
  }
}

}  // namespace

// Every allocation of this program is counted.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* made = std::malloc(bytes > 0 ? bytes : 1);
  if (made == nullptr) throw std::bad_alloc();
  count(static_cast<std::int64_t>(malloc_usable_size(made)));
  return made;
}
[[gnu::noinline]] void operator delete(void* gone) noexcept {
  if (gone != nullptr) count(-static_cast<std::int64_t>(malloc_usable_size(gone)));
  std::free(gone);
}
void operator delete(void* gone, std::size_t) noexcept { operator delete(gone); }

namespace equinorm::bounds {
namespace {

/// Bounds of everything that the form has, `block` tokens at a time.
Bounds bounds_by(Index block, const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form) {
  std::set<std::string> names{kUnsharedLogits};
  for (const problem::TensorSpec& spec : paths::outputs_of(form, problem, plan)) names.insert(spec.name);
  Common common(problem, inputs, 1);
  const Setting at(problem, plan, form);
  return BoundRun(at, common, names, nullptr, 0, block).run();
}

TEST_CASE("bounds do not depend on how many tokens are looked at at a time") {
  Index tensors = 0, several = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 31 + 7);
    const paths::Plan plan = any_plan(dice, problem.precision.storage);
    // A matrix unit's cuts are charged for the largest factor nearby: no more than for the largest of all.
    const bool unit = plan.precision.order.kind == scalar::SumOrder::Kind::tensor_core;
    const tensor::TensorMap inputs =
        inputs::round_inputs(problem, reference::random_inputs(problem, seed), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      const Bounds whole = bounds_by(1 << 20, problem, inputs, plan, form), parts = bounds_by(3, problem, inputs, plan, form);
      several += problem.max_context() > 3 ? 1 : 0;
      REQUIRE(whole.size() == parts.size());
      for (const auto& [name, bound] : whole) {
        INFO("seed " << seed << ": " << reference::describe(problem) << "; " << describe(plan) << "; " << name);
        Index wrong = 0;
        for (Index i = 0; i < bound.size(); ++i) {
          const double part = parts.at(name)[i];
          wrong += part == bound[i] || (unit && part < bound[i]) ? 0 : 1;
        }
        CHECK(wrong == 0);
        ++tensors;
      }
    }
  }
  CHECK(several > 50);
  CHECK(tensors > 1000);
}

/// Largest number of bytes alive at a time while bounds are made, per token: what a token more adds.
double bytes_per_token(Index groups, Index latent, PathKind form, const Given& given) {
  double bytes[2];
  for (const Index blocks : {2, 4}) {
    problem::Problem problem;
    problem.batch = problem.queries = 1, problem.context = {blocks * kTokenBlock};
    problem.heads = problem.groups = groups, problem.latent = latent;
    problem.content_dim = problem.value_dim = 8, problem.rope_dim = 2;
    const tensor::TensorMap inputs = inputs::generate_inputs(problem);
    std::vector<paths::Plan> plans(2);
    plans[0].precision = plans[1].precision = problem.precision;
    plans[1].denominator_rounded = false;
    const std::int64_t before = live_bytes.load();
    peak_bytes = before;
    widest_bounds(problem, inputs, plans, form, {"lse", "o"}, {}, given);
    bytes[blocks / 4] = static_cast<double>(peak_bytes.load() - before);
  }
  return (bytes[1] - bytes[0]) / (2 * kTokenBlock);
}

TEST_CASE("memory of long contexts: the latents once, one group's values, no keys") {
  // One thread, so that what is alive at a time is the same in every run.
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const Given keys{{"alpha_k", scalar::kFp32}, {"q_tilde", scalar::kFp32}};
  for (const auto& [form, given] : {std::pair{PathKind::explicit_form, Given{}}, std::pair{PathKind::absorbed_form, Given{}},
                                    std::pair{PathKind::absorbed_form, keys}}) {
    const double two = bytes_per_token(2, 16, form, given), eight = bytes_per_token(8, 16, form, given),
                 wide = bytes_per_token(2, 48, form, given);
    INFO(problem::to_string(form) << ", " << given.size() << " handed over: bytes per token with 2 groups " << two << ", with 8 " << eight
                                  << ", with 3 times the latent " << wide);
    // Of another group: scores that two plans share (four numbers and a byte), and what binary64 does not know of its logits and of a
    // handed-over alpha_k. A key or a value alone has 8 numbers.
    CHECK((eight - two) / 6 <= 6 * sizeof(double) + 2);
    // Of another latent number: itself.
    CHECK((wide - two) / 32 <= 1.5 * sizeof(double));
    // Latents and tables of a token, one group's value and scores; keys of every token, with their errors, would be as much again.
    CHECK(two <= 400);
    CHECK(two > 0);
  }
}

}  // namespace
}  // namespace equinorm::bounds
