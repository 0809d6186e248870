// A hunt under bounds that are too small says so; budgets are read; every built-in case can be made small.
#include "commands/hunt.hpp"

#include <catch2/catch.hpp>

#include "bounds/bounds.hpp"
#include "commands/apply_bound.hpp"
#include "commands/arithmetics.hpp"
#include "commands/hunt_size.hpp"
#include "commands/reference.hpp"
#include "commands/run_form.hpp"
#include "inputs/load.hpp"
#include "problem/builtin.hpp"
#include "problem/case.hpp"
#include "problem/problem_file.hpp"
#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

/// Logits of the absorbed form, judged under `share` of their bound.
std::vector<verdict::ErrorRow> judged(const problem::Problem& problem, const tensor::TensorMap& inputs, double share) {
  const NamedArithmetic arithmetic = find_arithmetic("bf16/fp32", problem);
  const std::set<std::string> names{"logits"};
  const auto form = paths::PathKind::absorbed_form;
  const verdict::Reference exact = certified_reference(problem, inputs, names).tensors;
  const Doubles out = run_form(form, arithmetic.plan, problem, inputs, names);
  tensor::Tensor<double> bound = bounds::error_bounds(problem, inputs, arithmetic.plan, form, names, kOwnFunctions).at("logits");
  for (tensor::Index i = 0; i < bound.size(); ++i) bound[i] *= share;
  verdict::ErrorRow row;
  row.path = "absorbed", row.tensor = "logits", row.format = scalar::kFp32;
  row.error = verdict::measure(out.at("logits"), exact.at("logits"), row.format);
  apply_bound(verdict::judge(out.at("logits"), exact.at("logits"), {bound, {}, 0}), Unbounded::measured, row);
  return {row};
}

problem::Problem small(const std::string& name) {
  problem::Problem problem = problem::resolve_case(name);
  problem::override_fields(problem, smaller_fields(problem));
  return problem;
}

}  // namespace

TEST_CASE("A hunt finds what a bound that is too small lets pass on ordinary inputs") {
  const problem::Problem problem = small("mla-blockwise-yarn");
  const tensor::TensorMap start = inputs::make_inputs(problem);
  const double share = 1.5 * judged(problem, start, 1)[0].ratio.value();  // ordinary inputs reach two thirds of the planted bound
  const auto run = [&](double planted) {
    return hunt(
        problem, scalar::kBf16, start, [&](const tensor::TensorMap& inputs) { return judged(problem, inputs, planted); }, {2000, 0},
        [](double) {});
  };
  REQUIRE(judged(problem, start, share)[0].verdict == verdict::Verdict::within);
  const Hunted planted = run(share);
  CHECK(planted.rows[0].verdict == verdict::Verdict::violates);
  CHECK(planted.result.rows[0].worst_ratio.value() > 1);
  CHECK(judged(problem, planted.worst, share)[0].ratio == planted.result.rows[0].worst_ratio);
  const Hunted honest = run(1);
  CHECK(honest.rows[0].verdict == verdict::Verdict::within);
  CHECK(honest.result.rows[0].worst_ratio.value() > honest.result.rows[0].start_ratio.value());
}

TEST_CASE("Budgets") {
  CHECK(parse_budget("60s").seconds == 60);
  CHECK(parse_budget("0.5m").seconds == 30);
  CHECK(parse_budget("2h").seconds == 7200);
  CHECK(parse_budget("60s").evaluations == 0);
  CHECK(parse_budget("2000e").evaluations == 2000);
  for (const char* text : {"", "s", "60", "0s", "-1s", "0e", "2.5e", "abc", "nans", "infs", "1e9s", "60ss", "60 s", "9999999h", "1d"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_budget(text), Error);
  }
}

TEST_CASE("Every built-in case and preset has a small size that is cheap and needs no further change") {
  for (const auto* sources : {&problem::builtin_cases(), &problem::presets()}) {
    for (const problem::NamedSource& source : *sources) {
      INFO(source.name);
      problem::Problem problem = small(std::string(source.name));
      CHECK(work_of(problem) <= 2e5);
      CHECK(smaller_fields(problem).empty());
      CHECK(problem.norm.scheme == problem::resolve_case(std::string(source.name)).norm.scheme);
    }
  }
}

}  // namespace equinorm::commands
