// The faults of rounding, overflow and infinities, which exact arithmetics cannot show: each acts, and does what its entry says.
#include "paths/mutants.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <map>

#include "inputs/generate.hpp"
#include "paths/load_inputs.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "paths/support.hpp"
#include "problem/problem_file.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::paths {
namespace {

using Single = RoundedArithmetic<float>;
using Inputs = PathInputs<float>;
using Output = PathOutput<float>;

/// 16-bit inputs, everything else in fp32: nothing hides a rounding of a stored tensor.
Plan fp32_plan(const problem::Problem& problem) {
  Plan plan = plan_in(scalar::kFp32, problem);
  plan.precision.storage = problem.precision.storage.precision < 24 ? problem.precision.storage : scalar::kBf16;
  return plan;
}

Output run_mutant(std::string_view id, PathKind form, const problem::Problem& problem, const Plan& plan, const Inputs& inputs) {
  return run_path(Single(plan), form, problem, plan, inputs, *make_formula<Single>(id));
}

/// The honest and the mutant's plan.
std::pair<Plan, Plan> plans_of(const Mutant& mutant, const problem::Problem& problem) {
  Plan plan = fp32_plan(problem), faulty = plan;
  if (mutant.adjust != nullptr) mutant.adjust(problem, faulty);
  Plan honest = faulty;  // splits and tiles as in the mutant's plan: only the fault differs
  honest.precision.stored = plan.precision.stored;
  return {honest, faulty};
}

Index nonfinite(const Tensor<float>& values) {
  return std::count_if(values.data(), values.data() + values.size(), [](float x) { return !std::isfinite(x); });
}

/// An mla or gqa problem with 40 tokens; `change` is problem-file JSON put before the closing brace.
problem::Problem medium(const std::string& change) {
  const std::string context = change.find("context") == std::string::npos ? R"(, "context": 40)" : "";
  return problem::parse_problem(R"({"attention": "mla", "queries": 3, "heads": 4, "groups": 2, "latent": 32, "content_dim": 16,
    "rope_dim": 8, "value_dim": 8, "precision": {"storage": "bf16"})" +
                                    context + (change.empty() ? "" : ", " + change) + "}",
                                "test");
}

std::vector<problem::Problem> problems_of(const Mutant& mutant) {
  std::vector<problem::Problem> problems;
  for (const char* change : {"", R"("inputs": {"kind": "wide-tokens", "seed": 3})", R"("mask": {"kind": "window", "window": 9})",
                             R"("mask": {"kind": "window", "window": 5}, "start": "x", "model_dim": 24)",
                             R"("batch": 3, "context": [40, 1, 0])", R"("norm": {"scheme": "unified", "weight": "zero_centred"})",
                             R"("batch": 2, "context": [40, 2], "norm": {"scheme": "full_width"})"}) {
    if (problem::Problem problem = medium(change); mutant.applies(problem)) problems.push_back(std::move(problem));
  }
  problem::Problem gqa =
      problem::parse_problem(R"({"attention": "gqa", "queries": 2, "context": 33, "heads": 4, "groups": 2, "head_dim": 16,
    "rope_dim": 16, "value_dim": 8, "norm": {"scheme": "per_head"}, "mask": {"kind": "window", "window": 7},
    "inputs": {"kind": "wide-tokens", "seed": 5}})",
                             "test");
  if (mutant.applies(gqa)) problems.push_back(gqa);
  return problems;
}

TEST_CASE("every fault of rounding or of the lse moves the outputs of its own plan") {
  for (const Mutant& mutant : mutants()) {
    if (mutant.expects(kExact) || mutant.expects(kStructural)) continue;
    const std::vector<problem::Problem> problems = problems_of(mutant);
    REQUIRE(!problems.empty());
    for (const problem::Problem& problem : problems) {
      INFO(mutant.id << " on " << reference::describe(problem));
      const auto [honest_plan, plan] = plans_of(mutant, problem);
      const Inputs inputs = load_inputs(Single(plan), problem, inputs::generate_inputs(problem));
      const Output honest = run_mutant("", PathKind::absorbed_form, problem, honest_plan, inputs);
      const Output faulty = run_mutant(mutant.id, PathKind::absorbed_form, problem, plan, inputs);
      const bool only_lse = mutant.id == "lse-base-2";
      CHECK((first_change(honest.at("o"), faulty.at("o")) >= 0) == !only_lse);
      if (only_lse) CHECK(first_change(honest.at("lse"), faulty.at("lse")) >= 0);
      CHECK(nonfinite(faulty.at("o")) == 0);
    }
  }
}

TEST_CASE("a fault of rounding moves nothing where its rounding is declared") {
  int checked = 0;
  for (const Mutant& mutant : mutants()) {
    if (!mutant.expects(kPrecision) || mutant.adjust == nullptr) continue;
    problem::Problem problem = medium("");
    const auto [honest_plan, plan] = plans_of(mutant, problem);
    REQUIRE(mutant.applies(problem));
    problem.precision.stored = plan.precision.stored;
    INFO(mutant.id);
    CHECK_FALSE(mutant.applies(problem));
    ++checked;
  }
  CHECK(checked == 5);
}

TEST_CASE("structural faults give outputs that are not finite, where the right form's are") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::map<std::string_view, int> seen;
  for (const Mutant& mutant : mutants()) {
    if (!mutant.expects(kStructural)) continue;
    std::vector<problem::Problem> problems = problems_of(mutant);
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
      if (problem::Problem problem = reference::random_small_problem(seed); mutant.applies(problem)) problems.push_back(problem);
    }
    for (const problem::Problem& problem : problems) {
      INFO(mutant.id << " on " << reference::describe(problem));
      const auto [honest_plan, plan] = plans_of(mutant, problem);
      const bool random = problem.name.starts_with("random");
      Inputs inputs = load_inputs(Single(plan), problem, random ? reference::random_inputs(problem, 7) : inputs::generate_inputs(problem));
      if (mutant.id == "masked-nan-leaks") poison_unseen(problem, nan, inputs);
      // The explicit form has values of its own, the others' are the latents.
      for (const PathKind form : kForms) {
        const Output honest = run_mutant("", form, problem, honest_plan, inputs);
        const Output faulty = run_mutant(mutant.id, form, problem, plan, inputs);
        CHECK(nonfinite(honest.at("o")) == 0);
        CHECK(nonfinite(faulty.at("o")) > 0);
      }
      ++seen[mutant.id];
    }
  }
  CHECK(seen.size() == 3);
  for (const auto& [id, count] : seen) {
    INFO(id << " on " << count << " problems");
    CHECK(count >= 5);
  }
}

TEST_CASE("what no query sees has no influence on the right outputs, NaN included") {
  int poisoned = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    Index unseen = 0;
    for (Index b = 0; b < problem.batch; ++b) unseen += unseen_tokens(problem, b);
    if (unseen == 0) continue;
    reference::Dice dice(seed);
    const Plan plan = random_plan(problem, dice);
    INFO(reference::describe(problem) << ", " << describe(plan));
    const Single ar(plan);
    const Inputs clean = load_inputs(ar, problem, reference::random_inputs(problem, seed));
    Inputs dirty = clean;
    poison_unseen(problem, std::numeric_limits<float>::quiet_NaN(), dirty);
    for (const PathKind form : kForms) {
      const Output a = run(ar, form, problem, plan, clean), b = run(ar, form, problem, plan, dirty);
      for (const char* name : {"o", "lse", "logits", "p"}) CHECK(first_change(a.at(name), b.at(name)) == -1);
    }
    ++poisoned;
  }
  CHECK(poisoned >= 20);
}

TEST_CASE("unseen tokens are those that the mask hides from every query") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    for (Index b = 0; b < problem.batch; ++b) {
      const Plan plan;
      const Single ar(plan);
      const Inputs inputs;
      Row<Single> row{.ar = ar, .problem = problem, .plan = plan, .in = inputs};
      row.b = b;
      const Formula<Single> right;
      Index first = 0;
      const auto seen = [&](Index t) {
        for (Index s = 0; s < problem.queries; ++s) {
          if (right.sees(row, s, t)) return true;
        }
        return false;
      };
      while (first < problem.context_of(b) && !seen(first)) ++first;
      // Only windows hide a prefix while showing something.
      if (first < problem.context_of(b)) CHECK(unseen_tokens(problem, b) == first);
    }
  }
}

/// One head, two tokens with given logits and values, no norm, no rotation: o and lse by hand.
struct ByHand {
  problem::Problem problem = problem::parse_problem(R"({"attention": "gqa", "queries": 1, "context": 2, "heads": 1, "groups": 1,
    "head_dim": 1, "value_dim": 1, "rope_dim": 0, "rope": {"layout": "none"}, "norm": {"scheme": "none", "weight": "none"}, "scale": 1,
    "precision": {"storage": "fp32"}})",
                                                    "test");
  Inputs inputs;
  ByHand(float l0, float l1, float v0, float v1) {
    const auto put = [&](const char* name, const tensor::Shape& shape, std::vector<float> values) {
      Tensor<float> tensor(shape);
      std::copy(values.begin(), values.end(), tensor.data());
      inputs.tensors.emplace(name, std::move(tensor));
    };
    put("q", {1, problem.queries, 1, 1}, {1});
    put("k", {1, 2, 1, 1}, {l0, l1});
    put("v", {1, 2, 1, 1}, {v0, v1});
    set_default_positions(problem, inputs);
  }
  Output run(std::string_view id) const {
    Plan plan = plan_in(scalar::kFp32, problem);
    if (!id.empty() && find_mutant(id).adjust != nullptr) find_mutant(id).adjust(problem, plan);
    return run_mutant(id, PathKind::absorbed_form, problem, plan, inputs);
  }
};

TEST_CASE("faults by hand") {
  const ByHand two(2, -1, 1, 3);
  const double e = std::exp(-3.0), o = (1 + 3 * e) / (1 + e), lse = 2 + std::log1p(e);
  CHECK(two.run("").at("o")[0] == Approx(o).epsilon(1e-6));
  CHECK(two.run("").at("lse")[0] == Approx(lse).epsilon(1e-6));
  CHECK(two.run("lse-base-2").at("lse")[0] == Approx(lse / std::log(2.0)).epsilon(1e-6));
  CHECK(two.run("lse-plus-0.03").at("lse")[0] == Approx(lse + 0.03).epsilon(1e-6));
  const double coarse = std::exp2(-3 * 1.4375);
  CHECK(two.run("exp2-truncated-log2e").at("o")[0] == Approx((1 + 3 * coarse) / (1 + coarse)).epsilon(1e-6));
  const double p = scalar::round_to(scalar::kFp16, e);
  CHECK(two.run("p-fp16").at("o")[0] == Approx((1 + 3 * p) / (1 + p)).epsilon(1e-6));
  const double sum = scalar::round_to(scalar::kBf16, 1 + 3 * e);
  for (const char* id : {"pv-accumulate-bf16", "accumulator-rounded-every-16"})
    CHECK(two.run(id).at("o")[0] == Approx(sum / (1 + e)).epsilon(1e-6));
  const ByHand rounded(1.005859375f, 0, 1, 0);  // halfway between two bf16 numbers is 1.00390625; this goes up
  CHECK(rounded.run("logits-bf16").at("lse")[0] == Approx(std::log(std::exp(1.0078125) + 1)).epsilon(1e-6));
}

TEST_CASE("minus fifty thousand for minus infinity averages a fully masked row") {
  problem::Problem problem = medium(R"("batch": 1, "context": 2)");
  REQUIRE(find_mutant("finite-minus-infinity").applies(problem));
  const Plan plan = fp32_plan(problem);
  const Inputs inputs = load_inputs(Single(plan), problem, inputs::generate_inputs(problem));
  const Output honest = run_mutant("", PathKind::absorbed_form, problem, plan, inputs);
  const Output faulty = run_mutant("finite-minus-infinity", PathKind::absorbed_form, problem, plan, inputs);
  CHECK(*honest.lse_live.row(0, 0, 0) == 0);  // query 0 of 3 sees none of the two tokens
  CHECK(*faulty.at("lse").row(0, 0, 0) == Approx(-50000 + std::log(2.0)).epsilon(1e-6));
  CHECK(*honest.at("o").row(0, 0, 0, 0) == 0);
  CHECK(*faulty.at("o").row(0, 0, 0, 0) != 0);
  // Rows that see something do not move.
  for (Index h = 0; h < problem.heads; ++h) CHECK(*honest.at("o").row(0, 2, h, 0) == *faulty.at("o").row(0, 2, h, 0));
}

TEST_CASE("sums of squares in 16 bits") {
  const problem::Problem problem;
  const Plan plan;
  const Single ar(plan);
  const Inputs inputs;
  const Row<Single> row{.ar = ar, .problem = problem, .plan = plan, .in = inputs};
  std::vector<float> x(128, 22.625f);  // 511.89 each: 128 of them are above 65504
  CHECK(std::isinf(make_formula<Single>("fp16-sum-of-squares-overflow")->square_sum(row, x.data(), 128)));
  CHECK(ar.rsqrt(make_formula<Single>("fp16-sum-of-squares-overflow")->square_sum(row, x.data(), 128)) == 0);
  CHECK(std::isfinite(make_formula<Single>("fp16-sum-of-squares-overflow")->square_sum(row, x.data(), 127)));
  x.assign(300, 1);
  CHECK(make_formula<Single>("sum-of-squares-bf16")->square_sum(row, x.data(), 300) == 256);  // 256 + 1 rounds back to 256
  CHECK(make_formula<Single>("")->square_sum(row, x.data(), 300) == 300);
}

TEST_CASE("the catalogue") {
  std::map<std::string_view, int> ids;
  for (const Mutant& mutant : mutants()) {
    ++ids[mutant.id];
    CHECK(!expected_text(mutant).empty());
    CHECK_FALSE((mutant.expects(kExact) && mutant.expects(kPrecision)));
  }
  CHECK(ids.size() == mutants().size());
  CHECK(expected_text(find_mutant("eps-1e-5")) == "E V");
  CHECK(expected_text(find_mutant("p-fp16")) == "P");
  CHECK(expected_text(find_mutant("empty-split")) == "S");
  CHECK(expected_text(find_mutant("pv-accumulate-bf16")) == "V P");
}

}  // namespace
}  // namespace equinorm::paths
