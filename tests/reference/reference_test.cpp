// The decimal reference against numbers worked out by hand: whole problems.
#include "reference/hand_values.hpp"

using namespace equinorm;
using problem::MaskKind;
using problem::NormKind;
using problem::NormWeight;
using problem::Problem;
using reference::check_equal;
using reference::check_same;
using reference::Number;
using reference::ratio;
using reference::two_token_inputs;
using reference::two_token_problem;
using reference::values;
using scalar::Decimal;
using tensor::TensorMap;

TEST_CASE("a blockwise problem worked out by hand") {
  const auto out = reference::compute(two_token_problem(), two_token_inputs());
  check_equal(out.at("alpha_k"), {1, 2, 1}, {ratio(1, 3), ratio(1, 5)});
  check_equal(out.at("alpha_q"), {1, 1, 1}, {ratio(1, 7)});
  check_equal(out.at("k_hat"), {1, 2, 1, 4}, {ratio(4, 3), 1, ratio(1, 6), ratio(4, 3), ratio(7, 5), 0, 0, ratio(7, 10)});
  check_equal(out.at("k_rope_cached"), {1, 2, 2}, {ratio(1, 6), ratio(4, 3), 0, ratio(7, 10)});
  check_equal(out.at("q_hat"), {1, 1, 1, 4}, {ratio(18, 7), ratio(4, 7), ratio(-2, 3), ratio(4, 3)});
  check_equal(out.at("q_rope_hat"), {1, 1, 1, 2}, {ratio(-2, 3), ratio(4, 3)});
  check_equal(out.at("q_tilde"), {1, 1, 1, 2}, {30, 12});
  check_equal(out.at("logits"), {1, 1, 1, 2}, {ratio(17, 2), ratio(34, 5)});
  const Number odds = exp(ratio(-17, 10)), p0 = 1 / (1 + odds), p1 = odds / (1 + odds);
  check_equal(out.at("p"), {1, 1, 1, 2}, {p0, p1});
  check_equal(out.at("lse"), {1, 1, 1}, {ratio(17, 2) + log(1 + odds)});
  check_equal(out.at("u"), {1, 1, 1, 2}, {4 * p0 + 7 * p1, -3 * p0 - 7 * p1});
  check_equal(out.at("o"), {1, 1, 1, 1}, {-2 * p0 - 7 * p1});
}

TEST_CASE("softcap, sink, gate and output projection by hand") {
  Problem problem = two_token_problem();
  TensorMap inputs = two_token_inputs();
  problem.softcap = Decimal("5");
  problem.sink = problem.output_gate = true;
  problem.model_dim = 2;
  inputs["sink"] = values({1}, {3});
  inputs["gate"] = values({1, 1, 1}, {-0.5});
  inputs["w_o"] = values({1, 2}, {1, -4});
  const auto out = reference::compute(problem, inputs);
  const Number l0 = 5 * tanh(ratio(17, 10)), l1 = 5 * tanh(ratio(34, 25)), sum = exp(l0) + exp(l1) + exp(Number(3));
  const Number o = (-2 * exp(l0) - 7 * exp(l1)) / sum, gated = o / (1 + exp(ratio(1, 2)));
  check_equal(out.at("logits"), {1, 1, 1, 2}, {l0, l1});
  check_equal(out.at("lse"), {1, 1, 1}, {log(sum)});
  check_equal(out.at("p"), {1, 1, 1, 2}, {exp(l0) / sum, exp(l1) / sum});
  check_equal(out.at("o"), {1, 1, 1, 1}, {o});
  check_equal(out.at("o_gated"), {1, 1, 1, 1}, {gated});
  check_equal(out.at("y"), {1, 1, 2}, {gated, -4 * gated});
}

TEST_CASE("the path from x equals the path from the latent it makes") {
  Problem problem = two_token_problem();
  TensorMap inputs = two_token_inputs();
  problem.model_dim = 2;
  inputs["w_o"] = values({1, 2}, {1, -4});
  const auto expected = reference::compute(problem, inputs);

  // Each matrix maps x_0 = (1, 1) and x_1 = (1, 2) to the two rows of c and k_rope, and x_1 to the query.
  problem.start = problem::Start::x;
  for (const char* name : {"c", "k_rope", "q_content", "q_rope"}) inputs.erase(name);
  inputs["x"] = values({1, 2, 2}, {1, 1, 1, 2});
  inputs["w_dkv"] = values({2, 2}, {1, 1, 3, -4});
  inputs["w_kr"] = values({2, 2}, {-5, 8, 6, -4});
  inputs["w_uq"] = values({2, 4}, {7, 4, 2, -1, 1, 0, 1, 1});
  check_same(expected, reference::compute(problem, inputs));

  // The query latent (2, 1) of x_1 through w_dq, then to the same query.
  problem.query_latent = 2;
  inputs["w_dq"] = values({2, 2}, {0, 1, 1, 0});
  inputs["w_uq"] = values({2, 4}, {4, 2, 2, 0, 1, 0, 0, 1});
  check_same(expected, reference::compute(problem, inputs));
}

TEST_CASE("latent norms are plain RMS norms with the same eps") {
  Problem problem = two_token_problem();
  problem.context = {1};
  problem.start = problem::Start::x;
  problem.model_dim = 1;
  problem.query_latent = 2;
  problem.norm.latent_norm = true;
  problem.norm.kind = NormKind::l2;
  problem.norm.weight = NormWeight::none;
  TensorMap inputs = two_token_inputs();
  inputs["x"] = values({1, 1, 1}, {1});
  inputs["w_dkv"] = values({1, 2}, {4, 1});  // RMS 3
  inputs["w_kr"] = values({1, 2}, {1, 4});
  inputs["w_dq"] = values({1, 2}, {0, 7});  // RMS 5
  inputs["w_uq"] = values({2, 4}, {1, 2, 3, 4, 2, 0, 1, 1});
  inputs["w_o"] = values({1, 1}, {1});
  inputs["gamma_kv_latent"] = values({2}, {1.5, 6});
  inputs["gamma_q_latent"] = values({2}, {9, 5});
  const auto out = reference::compute(problem, inputs);
  check_equal(out.at("u"), {1, 1, 1, 2}, {2, 2});                       // c = (4/3 1.5, 1/3 6)
  check_equal(out.at("alpha_k"), {1, 1, 1}, {1 / sqrt(ratio(41, 2))});  // k0 = (2, 4)
  check_equal(out.at("q_tilde"), {1, 1, 1, 2}, {14, 0});                // query latent (0, 7): q = (14, 0, 7, 7)
}

TEST_CASE("a missing or misshapen input and a query without a position are errors") {
  TensorMap inputs = two_token_inputs();
  inputs.erase("gamma_rk");
  CHECK_THROWS_AS(reference::compute(two_token_problem(), inputs), Error);
  inputs = two_token_inputs();
  inputs["w_v"] = values({1, 1, 2}, {1, 2});
  CHECK_THROWS_AS(reference::compute(two_token_problem(), inputs), Error);
  Problem problem = two_token_problem();
  problem.queries = 3;
  inputs = two_token_inputs();
  inputs["q_content"] = inputs["q_rope"] = values({1, 3, 1, 2}, {1, 1, 1, 1, 1, 1});
  const auto out = reference::compute(problem, inputs);
  CHECK(reference::is_undefined(out.at("q_rope_hat").row(0, 0, 0)[0]));
  CHECK_FALSE(reference::is_undefined(out.at("q_hat").row(0, 0, 0)[1]));
  CHECK_FALSE(reference::is_undefined(out.at("q_rope_hat").row(0, 1, 0)[0]));
  problem.mask.kind = MaskKind::none;
  CHECK_THROWS_AS(reference::compute(problem, inputs), Error);
}
