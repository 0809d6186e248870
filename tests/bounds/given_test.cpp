// Kernels of some stages only: no correct one may be beyond the bound that its own stages leave, and that bound is below the whole path's.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "bounds/judge.hpp"
#include "inputs/generate.hpp"
#include "inputs/round.hpp"
#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "problem/norm_traits.hpp"
#include "reference/random_problem.hpp"
#include "scalar/error.hpp"

namespace equinorm::bounds {
namespace {

using tensor::Tensor;

/// A format for every handed-over tensor; cached and query parts that one rounding point makes share theirs.
Given any_formats(reference::Dice& dice, const std::set<std::string>& names, const paths::Plan& plan) {
  const auto format = [&] { return dice.one_of({scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp64}); };
  const scalar::Format keys = format(), queries = format();
  Given given;
  for (const std::string& name : names) {
    const bool key = name == "k_hat" || name == "k_deferred" || name == "k_rope_cached", query = name == "q_hat" || name == "q_rope_hat";
    given.emplace(name, key ? keys : query ? queries : name == "o" ? plan.precision.of(problem::Stored::o) : format());
  }
  return given;
}

TEST_CASE("no element of a kernel that is handed tensors is beyond its bound") {
  const char* seeds_text = std::getenv("EQUINORM_BOUND_SEEDS");
  const std::uint64_t seeds = seeds_text != nullptr ? std::strtoull(seeds_text, nullptr, 10) : 150;
  Index elements = 0, unbounded = 0;
  std::map<std::string, double> worst;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const problem::Problem problem = reference::random_small_problem(seed);
    reference::Dice dice(seed * 11 + 5);
    const paths::Plan plan = any_plan(dice, problem.precision.storage);
    const tensor::TensorMap inputs =
        inputs::round_inputs(problem, reference::random_inputs(problem, seed), plan.precision.storage, plan.precision.ftz);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) {
      for (const First first : {First::query, First::score, First::softmax, First::output}) {
        std::set<std::string> names = handed_over(problem, form, first);
        const bool unified = problem::norm_traits(problem).spans_rope && problem.rope_dim > 0;
        // No path of ours normalises the RoPE query but not the content; the case below has one.
        if (unified && names.contains("q_tilde")) continue;
        const Given given = any_formats(dice, names, plan);
        for (const auto& [name, one] : judge_given(problem, inputs, plan, form, first, given)) {
          INFO(reference::describe(problem) << "; " << describe(plan) << "; " << problem::to_string(form) << "; from stage "
                                            << static_cast<int>(first) << "; " << one.first);
          CHECK(one.violations == 0);
          elements += one.elements, unbounded += one.unbounded;
          worst[name] = std::fmax(worst[name], one.worst);
        }
      }
    }
  }
  std::string line = std::to_string(elements) + " elements, " + std::to_string(unbounded) + " unbounded; largest error / bound:";
  for (const auto& [name, ratio] : worst) line += " " + name + " " + std::to_string(ratio);
  WARN(line);
  for (const char* name : {"logits", "u", "o"}) CHECK(worst.at(name) > 0.9);
}

problem::Problem paper_head(std::uint64_t seed) {
  problem::Problem problem;
  problem.context = {128};
  problem.heads = problem.groups = 1;
  problem.inputs.seed = seed;
  return problem;
}

paths::Plan bf16_plan() {
  paths::Plan plan;
  plan.precision.storage = scalar::kBf16;
  plan.precision.stored.fill(scalar::kBf16);
  plan.precision.of(problem::Stored::alpha) = plan.precision.of(problem::Stored::logits) = scalar::kFp32;
  plan.fold_alpha_q = false;
  return plan;
}

double largest(const Tensor<double>& x) {
  double most = 0;
  for (Index i = 0; i < x.size(); ++i) most = std::fmax(most, x[i]);
  return most;
}

TEST_CASE("a kernel of its own stages has a sharper bound than the whole path") {
  const problem::Problem problem = paper_head(3);
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  const paths::Plan plan = bf16_plan();
  const Given scores{{"alpha_k", scalar::kFp32},
                     {"alpha_q", scalar::kFp32},
                     {"k_rope_cached", scalar::kBf16},
                     {"q_rope_hat", scalar::kBf16},
                     {"q_tilde", scalar::kFp32}};
  const Bounds whole = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"logits", "u", "o"});
  const Bounds from_score = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"logits", "u", "o"}, {}, scores);
  const Bounds from_softmax = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"u", "o"}, {}, {{"logits", scalar::kFp32}});
  const Bounds from_output = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"o"}, {}, {{"u", scalar::kFp32}});
  for (const char* name : {"logits", "u", "o"}) {
    INFO(name << " " << largest(whole.at(name)) << " " << largest(from_score.at(name)));
    CHECK(largest(from_score.at(name)) <= largest(whole.at(name)));
  }
  CHECK(largest(from_score.at("logits")) < 0.5 * largest(whole.at("logits")));
  CHECK(largest(from_softmax.at("u")) < 0.3 * largest(whole.at("u")));
  CHECK(largest(from_output.at("o")) < 0.3 * largest(whole.at("o")));
}

TEST_CASE("handed-over weights: the sum itself, row by row") {
  const paths::Plan plan = bf16_plan();
  using Wide = paths::RoundedArithmetic<double>;
  const Wide ar(plan);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const problem::Problem problem = paper_head(seed);
    const tensor::TensorMap inputs = inputs::generate_inputs(problem);
    paths::Plan wide = plan;
    wide.precision.storage = wide.precision.accumulate = wide.precision.statistics = scalar::kFp64;
    wide.precision.stored.fill(scalar::kFp64);
    const Wide exact(wide);
    const auto truth =
        paths::run_path(exact, PathKind::absorbed_form, problem, wide, paths::load_inputs(exact, problem, inputs), paths::Formula<Wide>());
    const Tensor<double> c = paths::load_inputs(ar, problem, inputs).at("c");
    std::vector<double> p(static_cast<std::size_t>(problem.max_context()));
    for (std::size_t t = 0; t < p.size(); ++t) p[t] = scalar::round_to(scalar::kBf16, truth.at("p")[static_cast<Index>(t)]);
    Tensor<double> u({problem.latent});
    ar.matmul(1, problem.latent, problem.max_context(), p.data(), problem.max_context(), c.data(), problem.latent, u.data(), problem.latent,
              false);
    const Bounds bounds = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"u"}, {}, {{"p", scalar::kBf16}});
    double worst = 0;
    for (Index k = 0; k < problem.latent; ++k) {
      const double error = std::fabs(ar.store(problem::Stored::u, u[k]) - truth.at("u")[k]);
      REQUIRE(error <= bounds.at("u")[k]);
      worst = std::fmax(worst, error / bounds.at("u")[k]);
    }
    CHECK(worst > 0.05);
  }
}

TEST_CASE("unified: a handed-over RoPE query holds alpha_q, the latent query does not") {
  using Wide = paths::RoundedArithmetic<double>;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    problem::Problem problem = paper_head(seed);
    problem.norm.scheme = problem::NormScheme::unified;
    const tensor::TensorMap inputs = inputs::generate_inputs(problem);
    const paths::Plan plan = bf16_plan();
    paths::Plan wide = plan;
    wide.precision.storage = wide.precision.accumulate = wide.precision.statistics = scalar::kFp64;
    wide.precision.stored.fill(scalar::kFp64);
    const Wide exact(wide), ar(plan);
    const auto run = [&](bool fold) {
      paths::Plan folded = wide;
      folded.fold_alpha_q = fold;
      return paths::run_path(exact, PathKind::absorbed_form, problem, folded, paths::load_inputs(exact, problem, inputs),
                             paths::Formula<Wide>());
    };
    const auto truth = run(false), with_rope = run(true);
    const Given given{{"alpha_k", scalar::kFp32},
                      {"alpha_q", scalar::kFp32},
                      {"k_rope_cached", scalar::kBf16},
                      {"q_rope_hat", scalar::kBf16},
                      {"q_tilde", scalar::kBf16}};
    const auto handed = [&](const auto& out, const char* name) {
      Tensor<double> values = out.at(name);
      for (Index i = 0; i < values.size(); ++i) values[i] = scalar::round_to(given.at(name), values[i]);
      return values;
    };
    const Tensor<double> q_tilde = handed(truth, "q_tilde"), q_rope = handed(with_rope, "q_rope_hat"), alpha_q = handed(truth, "alpha_q"),
                         alpha_k = handed(truth, "alpha_k"), k_rope = handed(truth, "k_rope_cached"),
                         c = paths::load_inputs(ar, problem, inputs).at("c");
    const double scale = ar.scale(problem::softmax_scale(problem));
    const Bounds bounds = error_bounds(problem, inputs, plan, PathKind::absorbed_form, {"logits"}, {}, given);
    double worst = 0;
    for (Index t = 0; t < problem.max_context(); ++t) {
      double content = 0, rope = 0;
      ar.matmul(1, 1, problem.latent, q_tilde.data(), problem.latent, c.row(0, t), 1, &content, 1, false);
      ar.matmul(1, 1, problem.rope_dim, q_rope.data(), problem.rope_dim, k_rope.row(0, t), 1, &rope, 1, false);
      const double logit = ar.mul(scale, ar.mul(ar.join(ar.mul(content, alpha_q[0]), rope), alpha_k[t]));
      const double error = std::fabs(logit - truth.at("logits")[t]);
      REQUIRE(error <= bounds.at("logits")[t]);
      worst = std::fmax(worst, error / bounds.at("logits")[t]);
    }
    CHECK(worst > 0.05);
  }
}

TEST_CASE("what is handed over bounds itself by its rounding; nonsense is refused") {
  const problem::Problem problem = paper_head(1);
  const tensor::TensorMap inputs = inputs::generate_inputs(problem);
  const paths::Plan plan = bf16_plan();
  const Bounds bounds = error_bounds(problem, inputs, plan, PathKind::explicit_form, {"k_hat", "logits"}, {}, {{"k_hat", scalar::kFp32}});
  CHECK(largest(bounds.at("k_hat")) < 0x1p-20);
  CHECK_THROWS_WITH(error_bounds(problem, inputs, plan, PathKind::explicit_form, {"o"}, {}, {{"lse", scalar::kFp32}}),
                    Catch::Contains("'lse' is read by no stage"));
  CHECK_THROWS_WITH(error_bounds(problem, inputs, plan, PathKind::explicit_form, {"o"}, {}, {{"k_deferred", scalar::kFp32}}),
                    Catch::Contains("'k_deferred' is none of this problem"));
}

}  // namespace
}  // namespace equinorm::bounds
