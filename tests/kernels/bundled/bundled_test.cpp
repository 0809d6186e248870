// The bundled CPU kernels under rigorous bounds: small random problems with every feature, then the built-in cases at their size.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "bundled/library.hpp"
#include "bundled/verdict.hpp"
#include "inputs/generate.hpp"
#include "problem/builtin.hpp"
#include "problem/case.hpp"
#include "reference/dice.hpp"
#include "reference/random_problem.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels::testing {
namespace {

using problem::Stored;

const Library& library(const std::string& name, const Problem& problem) {
  static std::map<std::string, Library> loaded;
  const std::string full = name + "_" + scalar::to_string(problem.precision.storage);
  return loaded.try_emplace(full, EQUINORM_KERNELS_FOLDER "/" + full + ".so").first->second;
}

void add(std::map<std::string, Judged>& totals, const std::map<std::string, Judged>& one) {
  for (const auto& [name, judged] : one) {
    Judged& total = totals[name];
    total.elements += judged.elements, total.violations += judged.violations, total.unbounded += judged.unbounded;
    total.worst = std::max(total.worst, judged.worst);
  }
}

std::string table(const std::map<std::string, Judged>& totals) {
  std::string text = fmt::format("{:14} {:>10} {:>10} {:>11} {:>12}\n", "tensor", "elements", "unbounded", "violations", "error/bound");
  for (const auto& [name, judged] : totals)
    text += fmt::format("{:14} {:10} {:10} {:11} {:12.4f}\n", name, judged.elements, judged.unbounded, judged.violations, judged.worst);
  return text;
}

/// Runs one kernel; its outputs join `tensors`. A problem without norm and RoPE block caches nothing but the latents.
void run(const std::string& name, const Problem& problem, const RunSetting& setting, tensor::TensorMap& tensors) {
  if (name == "cache_write" && problem.norm.scheme == problem::NormScheme::none && problem.rope_dim == 0) return;
  const RunResult result = library(name, problem).run(problem, tensors, setting);
  INFO(name << ": " << result.message << (result.failures.empty() ? "" : result.failures.front()));
  REQUIRE(result.status == EQUINORM_OK);
  REQUIRE(result.failures.empty());
  for (const auto& [output, values] : result.outputs) tensors.insert_or_assign(output, values);
}

/// Outputs of the last kernels that ran, under the bounds of the problem's precision.
void check(const std::string& what, const Problem& problem, PathKind form, const tensor::TensorMap& inputs,
           const tensor::TensorMap& tensors, std::map<std::string, Judged>& totals) {
  tensor::TensorMap outputs;
  for (const auto& [name, values] : tensors) {
    if (!inputs.contains(name)) outputs.emplace(name, values);
  }
  const auto judged = judge(problem, inputs, form, outputs);
  for (const auto& [name, one] : judged) {
    INFO(what << ": " << one.first);
    CHECK(one.violations == 0);
  }
  add(totals, judged);
}

Problem with_precision(Problem problem, std::initializer_list<Stored> narrow, const RunSetting& setting) {
  problem.precision.stored = problem::Precision::default_stored(problem.precision.storage);
  for (const Stored tensor : narrow) problem.precision.of(tensor) = problem.precision.storage;
  problem.precision.order = {}, problem.precision.ftz = false;
  problem.precision.splits = setting.splits, problem.precision.tile = setting.tile;
  return problem;
}

void check_mla(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting, std::map<std::string, Judged>& totals) {
  // Tiles that the kernel chooses are 64 keys.
  const RunSetting tiled_bound{setting.splits, setting.tile > 0 ? setting.tile : 64};
  const Problem chained = with_precision(problem, {Stored::k_hat, Stored::u}, {});
  tensor::TensorMap stages = inputs;
  for (const char* name : {"cache_write", "query", "absorbed_decode", "output"}) run(name, chained, setting, stages);
  check("cache_write, query, absorbed_decode, output", chained, PathKind::absorbed_form, inputs, stages, totals);
  const Problem tiled = with_precision(problem, {Stored::k_hat, Stored::u}, tiled_bound);
  stages = inputs;
  for (const char* name : {"cache_write", "query", "absorbed_tiled", "output"}) run(name, tiled, setting, stages);
  check("cache_write, query, absorbed_tiled, output", tiled, PathKind::absorbed_form, inputs, stages, totals);
  const Problem whole = with_precision(problem, {Stored::k_hat}, tiled_bound);
  stages = inputs;
  run("absorbed_path", whole, setting, stages);
  check("absorbed_path", whole, PathKind::absorbed_form, inputs, stages, totals);
  const Problem explicit_problem = with_precision(problem, {}, {});
  stages = inputs;
  run("explicit_path", explicit_problem, setting, stages);
  check("explicit_path", explicit_problem, PathKind::explicit_form, inputs, stages, totals);
  const Problem narrow = with_precision(problem, {Stored::k_hat, Stored::q_hat}, {});
  tensor::TensorMap handed = inputs;
  handed.insert_or_assign("k_hat", stages.at("k_hat")), handed.insert_or_assign("q_hat", stages.at("q_hat"));
  stages = handed;
  run("explicit_attention", narrow, setting, stages);
  check("explicit_attention", narrow, PathKind::explicit_form, handed, stages, totals);
}

void check_gqa(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting, std::map<std::string, Judged>& totals) {
  const Problem declared = with_precision(problem, {}, {});
  for (const auto& [name, form] : {std::pair{"gqa_deferred", PathKind::absorbed_form}, {"gqa_explicit", PathKind::explicit_form}}) {
    tensor::TensorMap stages = inputs;
    run(name, declared, setting, stages);
    check(name, declared, form, inputs, stages, totals);
  }
}

TEST_CASE("no bundled kernel is beyond its bound on small random problems") {
  std::map<std::string, Judged> totals;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Problem problem = reference::random_small_problem(seed);
    problem.start = problem::Start::latent, problem.norm.latent_norm = false, problem.query_latent = 0;
    reference::Dice dice(seed * 11 + 5);
    RunSetting setting;
    setting.splits = dice.between(1, 4), setting.tile = dice.one_of({0, 1, 3, 5});
    setting.threads = static_cast<int>(dice.between(1, 3)), setting.seed = seed;
    setting.placement = dice.one_in(2) ? Placement::gaps : Placement::as_declared;
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    INFO("seed " << seed << ": " << reference::describe(problem) << ", splits " << setting.splits << ", tile " << setting.tile
                 << (setting.placement == Placement::gaps ? ", gaps" : ""));
    (problem.is_mla() ? check_mla : check_gqa)(problem, inputs, setting, totals);
  }
  WARN(table(totals));
}

TEST_CASE("no bundled kernel is beyond its bound on the built-in cases") {
  std::map<std::string, Judged> totals;
  for (const problem::NamedSource& source : problem::builtin_cases()) {
    const Problem problem = problem::resolve_case(std::string(source.name));
    if (problem.start == problem::Start::x || problem.max_context() > 200) continue;  // the largest ones are for `equinorm check`
    INFO(source.name);
    RunSetting setting;
    setting.splits = 3, setting.threads = 2;
    (problem.is_mla() ? check_mla : check_gqa)(problem, inputs::generate_inputs(problem), setting, totals);
  }
  WARN(table(totals));
}

TEST_CASE("bits do not depend on threads, layout or the run") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Problem problem = reference::random_small_problem(seed);
    problem.start = problem::Start::latent, problem.norm.latent_norm = false, problem.query_latent = 0;
    const tensor::TensorMap inputs = reference::random_inputs(problem, seed);
    const Library& kernel = library(problem.is_mla() ? "absorbed_path" : "gqa_deferred", problem);
    const tensor::TensorMap first = kernel.run(problem, inputs, {.splits = 3}).outputs;
    const tensor::TensorMap second =
        kernel.run(problem, inputs, {.splits = 3, .threads = 4, .seed = 9, .placement = Placement::gaps}).outputs;
    for (const auto& [name, values] : first) {
      INFO(reference::describe(problem) << ": " << name);
      CHECK(std::equal(values.bytes(), values.bytes() + values.byte_size(), second.at(name).bytes()));
    }
  }
}

TEST_CASE("how long the bundled kernels take at the paper's shape, 4096 tokens, one thread", "[.timing]") {
  const Problem problem = problem::resolve_case("paper-tp8");
  tensor::TensorMap tensors = inputs::generate_inputs(problem);
  for (const char* name : {"cache_write", "query", "absorbed_decode", "absorbed_tiled", "output", "absorbed_path"}) {
    double best = HUGE_VAL;
    for (int repeat = 0; repeat < 2; ++repeat) {
      const RunResult result = library(name, problem).run(problem, tensors, {.splits = 4});
      best = std::min(best, result.seconds);
      for (const auto& [output, values] : result.outputs) tensors.insert_or_assign(output, values);
    }
    WARN(fmt::format("{:16} {:9.2f} ms", name, 1e3 * best));
  }
}

TEST_CASE("the verdict of this test sees a wrong number, an infinite one and NaN") {
  const Problem problem = with_precision(problem::resolve_case("mla-integers"), {Stored::k_hat}, {1, 64});
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  tensor::TensorMap stages = inputs;
  run("absorbed_path", problem, {}, stages);
  tensor::AnyTensor o = stages.at("o");
  for (const double wrong : {o.at(7) * 1.01, HUGE_VAL, std::nan("")}) {
    tensor::AnyTensor changed(o.dtype(), o.shape());
    std::copy(o.bytes(), o.bytes() + o.byte_size(), changed.mutable_bytes());
    changed.write(7, 1, &wrong);
    CHECK(judge(problem, inputs, PathKind::absorbed_form, {{"o", changed}}).at("o").violations == 1);
  }
}

}  // namespace
}  // namespace equinorm::kernels::testing
