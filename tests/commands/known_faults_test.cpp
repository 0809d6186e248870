// Known faults: what each of them leaves is named after it, and what none leaves after nothing.
#include "commands/known_faults.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "commands/declared_bound.hpp"
#include "commands/reference.hpp"
#include "commands/run_form.hpp"
#include "commands/sensitivity.hpp"
#include "inputs/load.hpp"
#include "inputs/round.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;
using problem::Problem;
using tensor::Tensor;

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

Problem small_problem() {
  Problem problem;
  problem.batch = 2, problem.context = {9, 7}, problem.queries = 3, problem.heads = 4, problem.groups = 2;
  problem.latent = 16, problem.content_dim = 12, problem.rope_dim = 8, problem.value_dim = 5;
  problem.precision.storage = scalar::kBf16;
  return problem;
}

/// Exact values and bounds of some outputs; an output is what `change` makes of its exact value, rounded to fp32.
struct Given {
  Problem problem;
  tensor::TensorMap inputs;
  verdict::Reference exact;
  bounds::Bounds bounds;

  Given(Problem own, const std::set<std::string>& names) : problem(std::move(own)) {
    inputs = inputs::round_inputs(problem, inputs::make_inputs(problem), problem.precision.storage, false);
    exact = certified_reference(problem, inputs, names).tensors;
    bounds = declared_bounds(problem, inputs, exact, names);
  }

  JudgedOutput output(const std::string& name, const Tensor<double>& values) const {
    JudgedOutput made{name, scalar::kFp32, values, bounds.at(name), false};
    for (Index i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) continue;
      made.values[i] = scalar::round_to(scalar::kFp32, values[i]);
      made.fails = made.fails || !(std::fabs(made.values[i] - exact.at(name).value[i]) <= made.bound[i]);
    }
    return made;
  }
  template <class Map>
  JudgedOutput mapped(const std::string& name, Map map) const {
    Tensor<double> values = exact.at(name).value;
    for (Index i = 0; i < values.size(); ++i) values[i] = std::isfinite(values[i]) ? map(values[i], i) : values[i];
    return output(name, values);
  }
};

/// The ids that are named, and their sentences.
std::map<std::string, std::string> named(const Given& given, const std::vector<JudgedOutput>& outputs) {
  std::vector<std::string> notes;
  std::map<std::string, std::string> found;
  double last = 0;
  for (const verdict::FaultRow& row : known_faults(given.problem, given.inputs, given.exact, outputs, notes)) {
    CHECK(row.distance >= last);
    CHECK(row.distance <= 1);
    last = row.distance;
    found[row.fault] += row.sentence;
  }
  const bool failed = std::any_of(outputs.begin(), outputs.end(), [](const JudgedOutput& output) { return output.fails; });
  CHECK(notes.size() == (failed && found.empty() ? 1U : 0U));
  return found;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("right outputs are not explained") {
  const Given given(small_problem(), {"lse", "o", "logits"});
  const auto same = [](double x, Index) { return x; };
  CHECK(named(given, {given.mapped("lse", same), given.mapped("o", same), given.mapped("logits", same)}).empty());
}

TEST_CASE("an output that no fault leaves is explained by none") {
  const Given given(small_problem(), {"lse", "o", "logits"});
  std::mt19937_64 random(20261122);
  std::normal_distribution<double> noise(0, 0.3);
  for (const char* name : {"lse", "o", "logits"}) {
    const JudgedOutput made = given.mapped(name, [&](double x, Index) { return x * (1 + noise(random)) + noise(random); });
    REQUIRE(made.fails);
    const auto found = named(given, {made});
    INFO(name << " " << (found.empty() ? "" : found.begin()->first + ": " + found.begin()->second));
    CHECK(found.empty());
  }
}

TEST_CASE("where the wrong elements of an unexplained output lie") {
  const Given given(small_problem(), {"o"});  // [2,3,4,5]
  const auto place = [&](auto wrong) {
    const JudgedOutput made =
        given.mapped("o", [&](double x, Index i) { return wrong(i) ? x + 0.3 * (1.5 + std::sin(static_cast<double>(i))) : x; });
    std::vector<std::string> notes;
    CHECK(known_faults(given.problem, given.inputs, given.exact, {made}, notes).empty());
    REQUIRE(notes.size() == 1);
    return notes[0];
  };
  CHECK(holds(place([](Index i) { return i / 5 % 4 == 1 || i / 5 % 4 == 2; }), "; o is beyond its bound only at [*,*,1-2,*] of [2,3,4,5]"));
  CHECK(holds(place([](Index i) { return i == 119; }), "only at [1,2,3,4] of"));
  CHECK(holds(place([](Index i) { return i % 5 % 2 == 0; }), "only at [*,*,*,{0,2,4}] of"));
  CHECK_FALSE(holds(place([](Index i) { return i % 2 == 0; }), "only at"));
}

TEST_CASE("simple relations") {
  const Given given(small_problem(), {"lse", "o", "logits", "alpha_k", "q_tilde", "k_rope_cached", "alpha_q"});
  const auto times = [](double factor) { return [factor](double x, Index) { return factor * x; }; };
  CHECK(holds(named(given, {given.mapped("lse", times(std::numbers::log2e))})["factor"], "declare \"lse_base\": \"2\""));
  CHECK(named(given, {given.mapped("lse", times(std::numbers::log2e))}).contains("lse-base-2"));
  CHECK(holds(named(given, {given.mapped("lse", times(std::numbers::ln2))})["factor"], "declare \"lse_base\": \"e\""));
  CHECK(holds(named(given, {given.mapped("o", times(1.25))})["factor"], "times 1.25 everywhere"));
  CHECK(holds(named(given, {given.mapped("logits", times(std::sqrt(20.0)))})["factor"], "sqrt(d_c + d_r = 20)"));
  CHECK(named(given, {given.mapped("logits", times(std::sqrt(20.0)))}).contains("scale-missing"));
  CHECK(holds(named(given, {given.mapped("lse", [](double x, Index) { return x + 0.125; })})["offset"], "plus 0.125"));
  CHECK(named(given, {given.mapped("alpha_k", [](double x, Index) { return 1 / x; })}).contains("inverse"));
  CHECK(named(given, {given.mapped("alpha_k", [](double x, Index) { return x * x; })}).contains("squared"));
  const Tensor<double>& alpha_q = given.exact.at("alpha_q").value;
  CHECK(named(given, {given.mapped("q_tilde", [&](double x, Index i) { return x * alpha_q[i / 16]; })}).contains("alpha-q-inside"));
  // [B,S,H,d_v] as [B,H,S,d_v], and pairs (2i, 2i+1) as halves.
  const Tensor<double> o = given.exact.at("o").value, rope = given.exact.at("k_rope_cached").value;
  const auto exchanged = [&](double, Index i) {
    const Index j = i % 5, c = i / 5 % 3, b = i / 15 % 4, a = i / 60;
    return o[((a * 3 + c) * 4 + b) * 5 + j];
  };
  CHECK(named(given, {given.mapped("o", exchanged)}).contains("axes-exchanged"));
  const auto halves = [&](double, Index i) { return rope[i / 8 * 8 + i % 4 * 2 + i % 8 / 4]; };
  CHECK(named(given, {given.mapped("k_rope_cached", halves)}).contains("pairs-regrouped"));
}

TEST_CASE("what holds must be explained too") {
  const Given given(small_problem(), {"lse", "o"});
  const auto right = [](double x, Index) { return x; };
  const auto base_two = [](double x, Index) { return x * std::numbers::log2e; };
  // A scale that is missing leaves neither o nor lse as it was.
  Problem unscaled = given.problem;
  unscaled.scale = scalar::Decimal("1");
  const Given other(unscaled, {"lse", "o"});
  const JudgedOutput lse = given.output("lse", other.exact.at("lse").value), o = given.output("o", other.exact.at("o").value);
  REQUIRE((lse.fails && o.fails));
  CHECK(named(given, {lse, o}).contains("scale-missing"));
  CHECK_FALSE(named(given, {lse, given.mapped("o", right)}).contains("scale-missing"));
  CHECK(named(given, {given.mapped("lse", base_two), given.mapped("o", right)}).contains("lse-base-2"));
  CHECK_FALSE(named(given, {given.mapped("lse", base_two), o}).contains("lse-base-2"));
}

TEST_CASE("every catalogued fault of another function explains its own outputs") {
  const std::set<std::string> names{"logits", "lse", "u", "o", "alpha_k", "q_tilde"};
  const Given given(small_problem(), names);
  int failing = 0;
  for (const paths::Mutant* mutant : mutants_of(given.problem)) {
    if (!mutant->expects(paths::kExact)) continue;
    paths::Plan plan;
    plan.precision = given.problem.precision, plan.fold_alpha_q = false;
    if (mutant->adjust != nullptr) mutant->adjust(given.problem, plan);
    const Doubles out = run_form(paths::PathKind::absorbed_form, plan, given.problem, given.inputs, names, std::string(mutant->id));
    std::vector<JudgedOutput> outputs;
    for (const auto& [name, values] : out) outputs.push_back(given.output(name, values));
    if (std::none_of(outputs.begin(), outputs.end(), [](const JudgedOutput& output) { return output.fails; })) continue;
    ++failing;
    INFO(mutant->id);
    CHECK(named(given, outputs).contains(std::string(mutant->id)));
  }
  CHECK(failing > 30);
}

/// What the faulty form makes of the problem's inputs in the declared formats; `change` is another choice that the formats leave open.
template <class Change>
std::vector<JudgedOutput> faulty_outputs(const Given& given, const std::set<std::string>& names, const paths::Mutant& mutant,
                                         std::string_view formula, Change change) {
  paths::Plan plan;
  plan.precision = given.problem.precision, plan.fold_alpha_q = false;
  if (mutant.adjust != nullptr) mutant.adjust(given.problem, plan);
  change(plan);
  std::vector<JudgedOutput> outputs;
  for (const auto& [name, values] :
       run_form(paths::PathKind::absorbed_form, plan, given.problem, given.inputs, names, std::string(formula)))
    outputs.push_back(given.output(name, values));
  return outputs;
}

TEST_CASE("both formulas of a fault are named after it") {
  const std::set<std::string> names{"logits", "lse", "p", "u", "o", "alpha_k"};
  const Given given(small_problem(), names);
  int tried = 0;
  for (const paths::Mutant* mutant : mutants_of(given.problem)) {
    if (mutant->variant.empty()) continue;
    ++tried;
    INFO(mutant->id);
    const auto same = [](paths::Plan&) {};
    const auto one = faulty_outputs(given, names, *mutant, mutant->id, same),
               two = faulty_outputs(given, names, *mutant, mutant->variant, same);
    bool differ = false;
    for (std::size_t i = 0; i < one.size(); ++i) differ = differ || !distance_to(two[i], one[i].values);
    CHECK(differ);
    CHECK(named(given, one).contains(std::string(mutant->id)));
    CHECK(named(given, two).contains(std::string(mutant->id)));
  }
  CHECK(tried >= 2);
}

TEST_CASE("faults of rounding are named in any order of the sums, and not for each other") {
  const std::set<std::string> names{"logits", "lse", "u", "o", "alpha_k", "q_tilde"};
  Problem problem = small_problem();
  problem.context = {70, 53}, problem.latent = 32, problem.content_dim = 24;
  const Given given(problem, names);
  const std::vector<std::string> ids{"alpha-bf16",
                                     "q-tilde-bf16",
                                     "p-fp16",
                                     "u-bf16",
                                     "logits-bf16",
                                     "sum-of-squares-bf16",
                                     "pv-accumulate-bf16",
                                     "accumulator-rounded-every-16"};
  int failing = 0;
  for (const std::string& id : ids) {
    for (const bool other : {false, true}) {
      const auto change = [&](paths::Plan& plan) {
        if (other) plan.fused = false, plan.precision.order = {scalar::SumOrder::Kind::pairwise, 0, {}};
      };
      const auto outputs = faulty_outputs(given, names, paths::find_mutant(id), id, change);
      if (std::none_of(outputs.begin(), outputs.end(), [](const JudgedOutput& output) { return output.fails; })) continue;
      ++failing;
      const auto found = named(given, outputs);
      INFO(id << (other ? ", pairwise" : ""));
      // Of sums rounded at each step another order is another sum.
      if (!other || (id != "sum-of-squares-bf16" && id != "pv-accumulate-bf16")) CHECK(found.contains(id));
      for (const auto& [fault, sentence] : found) {
        INFO(fault);
        CHECK(fault == id);
      }
    }
  }
  CHECK(failing > 8);
}

TEST_CASE("the part of an error that a fault leaves") {
  const Given given(small_problem(), {"o"});
  const Tensor<double>& exact = given.exact.at("o").value;
  const JudgedOutput made = given.mapped("o", [](double x, Index) { return 1.5 * x + 0.5; });
  REQUIRE(made.fails);
  const auto part_of = [&](double share) {  // what is `share` of the error away
    Tensor<double> values = made.values;
    for (Index i = 0; i < values.size(); ++i) values[i] += (i % 2 == 0 ? share : -share) * (made.values[i] - exact[i]);
    return part_left(made, values, exact);
  };
  CHECK(part_of(0) == 0.0);
  CHECK(part_of(0.2).value() == Approx(0.8));
  CHECK_FALSE(part_of(0.26));
  CHECK_FALSE(part_left(made, exact, exact));
  Tensor<double> infinite = made.values;
  infinite[3] = kNoNumber;
  CHECK_FALSE(part_left(made, infinite, exact));
  CHECK_FALSE(part_left(made, Tensor<double>({1}), exact));
}

TEST_CASE("a problem that is too large is not run, and says so") {
  Given given(small_problem(), {"lse"});
  std::vector<std::string> notes;
  const JudgedOutput lse = given.mapped("lse", [](double x, Index) { return 2 * x; });
  given.problem.context = {1 << 20, 1 << 20}, given.problem.latent = 512;
  const auto rows = known_faults(given.problem, given.inputs, given.exact, {lse}, notes);
  REQUIRE(notes.size() == 1);
  CHECK(holds(notes[0], "multiply-adds, allowed"));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].fault == "factor");
}

}  // namespace
}  // namespace equinorm::commands
