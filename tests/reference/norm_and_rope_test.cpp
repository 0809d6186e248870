// The decimal reference against numbers worked out by hand: statistics, weights and rotations.
#include <algorithm>

#include "reference/hand_values.hpp"

using namespace equinorm;
using problem::NormKind;
using problem::NormScheme;
using problem::NormWeight;
using problem::Problem;
using problem::RopeLayout;
using problem::RopePart;
using reference::check_equal;
using reference::decimal;
using reference::Number;
using reference::ratio;
using reference::values;
using scalar::Decimal;
using tensor::DType;
using tensor::Index;
using tensor::TensorMap;

TEST_CASE("statistics of every MLA scheme") {
  Problem problem;
  problem.context = {1};
  problem.heads = problem.groups = problem.content_dim = problem.rope_dim = 2;
  problem.latent = problem.value_dim = 1;
  problem.norm.eps = Decimal("0.5");
  problem.rope.layout = RopeLayout::none;
  TensorMap inputs;
  inputs["c"] = values({1, 1, 1}, {1});
  inputs["w_k"] = values({2, 1, 2}, {2, 2, 4, 0});
  inputs["w_v"] = values({2, 1, 1}, {1, 1});
  inputs["k_rope"] = values({1, 1, 2}, {2, 4});
  inputs["q_content"] = values({1, 1, 2, 2}, {1, 1, 3, 1});
  inputs["q_rope"] = values({1, 1, 2, 2}, {1, 0, 2, 0});

  struct Row {
    NormScheme scheme;
    NormKind kind;
    const char *k0, *k1, *q0, *q1, *rope_key, *rope_q1;  // S^2 of key groups 0 and 1, queries 0 and 1, cached RoPE key, RoPE query 1
  };
  const Row rows[] = {
      {NormScheme::blockwise, NormKind::rms, "4.5", "8.5", "1.5", "5.5", "10.5", "2.5"},
      {NormScheme::blockwise, NormKind::l2, "8.5", "16.5", "2.5", "10.5", "20.5", "4.5"},
      {NormScheme::unified, NormKind::rms, "7.5", "9.5", "1.25", "4", "1", "4"},
      {NormScheme::unified, NormKind::l2, "28.5", "36.5", "3.5", "14.5", "1", "14.5"},
      {NormScheme::full_width, NormKind::rms, "6.5", "6.5", "3.5", "3.5", "10.5", "1.75"},
      {NormScheme::full_width, NormKind::l2, "24.5", "24.5", "12.5", "12.5", "20.5", "5.5"},
      {NormScheme::none, NormKind::rms, "1", "1", "1", "1", "1", "1"},
  };
  for (const Row& row : rows)
    for (const NormWeight weight : {NormWeight::plain, NormWeight::zero_centred, NormWeight::none}) {
      problem.norm.scheme = row.scheme;
      problem.norm.kind = row.kind;
      problem.norm.weight = weight;
      const bool wide = row.scheme == NormScheme::full_width;
      // Key RoPE weights (1/2, 1); query RoPE weights of head 1 (3, 5). Content weights 1.
      TensorMap all = inputs;
      all["gamma_cq"] = all["gamma_ck"] = wide ? values({4}, {1, 1, 1, 1}) : values({2}, {1, 1});
      all["gamma_rq"] = wide ? values({4}, {7, 7, 3, 5}) : values({2}, {3, 5});
      all["gamma_rk"] = values({2}, {0.5, 1});
      all["gamma_q"] = values({4}, {1, 1, 3, 5});
      all["gamma_k"] = values({4}, {1, 1, 0.5, 1});
      const bool weighted = row.scheme != NormScheme::none && weight != NormWeight::none;
      const Number one = weight == NormWeight::zero_centred ? 1 : 0;
      const Number rk0 = weighted ? one + ratio(1, 2) : 1, rk1 = weighted ? one + 1 : 1, rq0 = weighted ? one + 3 : 1;
      INFO(to_string(row.scheme) << ' ' << to_string(row.kind) << ' ' << to_string(weight));
      const auto out = reference::compute(problem, all);
      REQUIRE(out.count("alpha_k") == (row.scheme == NormScheme::none ? 0U : 1U));
      const Number k0 = 1 / sqrt(decimal(row.k0)), k1 = 1 / sqrt(decimal(row.k1)), q0 = 1 / sqrt(decimal(row.q0)),
                   q1 = 1 / sqrt(decimal(row.q1));
      if (row.scheme != NormScheme::none) {
        if (wide)
          check_equal(out.at("alpha_k"), {1, 1, 1}, {k0});
        else
          check_equal(out.at("alpha_k"), {1, 1, 2}, {k0, k1});
        check_equal(out.at("alpha_q"), {1, 1, 2}, {q0, q1});
      }
      const Number rope_key = 1 / sqrt(decimal(row.rope_key));
      check_equal(out.at("k_rope_cached"), {1, 1, 2}, {2 * rk0 * rope_key, 4 * rk1 * rope_key});
      CHECK(abs(out.at("q_rope_hat").row(0, 0, 1)[0] - 2 * rq0 / sqrt(decimal(row.rope_q1))) < decimal("1e-55"));
      const Number content = weighted ? one + 1 : 1;
      CHECK(abs(out.at("k_hat").row(0, 0, 1)[0] - 4 * content * k1) < decimal("1e-55"));
      CHECK(abs(out.at("q_tilde").row(0, 0, 1)[0] - 12 * content * content) < decimal("1e-55"));
    }
}

TEST_CASE("gqa: statistics, weights per element and deferred keys") {
  Problem problem;
  problem.attention = problem::Attention::gqa;
  problem.context = {1};
  problem.heads = 2;
  problem.groups = 1;
  problem.head_dim = 2;
  problem.rope_dim = 0;
  problem.rope.layout = RopeLayout::none;
  problem.value_dim = 1;
  problem.norm.eps = Decimal("0.5");
  TensorMap inputs;
  inputs["q"] = values({1, 1, 2, 2}, {4, 1, 7, 0});
  inputs["k"] = values({1, 1, 1, 2}, {9, 4});
  inputs["v"] = values({1, 1, 1, 1}, {3});
  inputs["gamma_q"] = values({2}, {2, 3});
  inputs["gamma_k"] = values({2}, {1, 2});

  problem.norm.scheme = NormScheme::per_head;
  auto out = reference::compute(problem, inputs);
  check_equal(out.at("alpha_q"), {1, 1, 2}, {ratio(1, 3), ratio(1, 5)});
  check_equal(out.at("alpha_k"), {1, 1, 1}, {ratio(1, 7)});
  check_equal(out.at("k_deferred"), {1, 1, 1, 2}, {9, 8});
  check_equal(out.at("q_hat"), {1, 1, 2, 2}, {ratio(8, 3), 1, ratio(14, 5), 0});
  const Number root = sqrt(Number(2));
  check_equal(out.at("logits"), {1, 2, 1, 1}, {(ratio(24, 7) + ratio(8, 7)) / root, ratio(18, 5) / root});
  check_equal(out.at("o"), {1, 1, 2, 1}, {3, 3});

  problem.norm.scheme = NormScheme::full_width;
  inputs["gamma_q"] = values({4}, {2, 3, 5, 7});
  out = reference::compute(problem, inputs);
  const Number s = sqrt(Number(17));  // (17 + 49) / 4 + 1/2
  check_equal(out.at("alpha_q"), {1, 1, 2}, {1 / s, 1 / s});
  check_equal(out.at("q_hat"), {1, 1, 2, 2}, {8 / s, 3 / s, 35 / s, 0});
}

TEST_CASE("RoPE turns the right pairs of a gqa head") {
  Problem problem;
  problem.attention = problem::Attention::gqa;
  problem.context = {2};
  problem.heads = problem.groups = 1;
  problem.head_dim = 4;
  problem.value_dim = 1;
  problem.norm.scheme = NormScheme::none;
  TensorMap inputs;
  inputs["q"] = values({1, 1, 1, 4}, {0, 0, 0, 0});
  inputs["k"] = values({1, 2, 1, 4}, {1, 2, 3, 4, 1, 2, 3, 4});
  inputs["v"] = values({1, 2, 1, 1}, {3, 3});
  struct Row {
    RopeLayout layout;
    Index rope_dim;
    RopePart part;
    std::vector<Number> token_1;
  };
  const Row rows[] = {{RopeLayout::interleaved, 4, RopePart::first, {-2, 1, 3, 4}},
                      {RopeLayout::half, 4, RopePart::first, {-3, 2, 1, 4}},
                      {RopeLayout::interleaved, 2, RopePart::first, {-2, 1, 3, 4}},
                      {RopeLayout::half, 2, RopePart::last, {1, 2, -4, 3}},
                      {RopeLayout::none, 4, RopePart::first, {1, 2, 3, 4}}};
  for (const Row& row : rows) {
    problem.rope.layout = row.layout;
    problem.rope_dim = row.rope_dim;
    problem.rope.part = row.part;
    const Index pairs = row.rope_dim / 2;  // row 0 does not turn; row 1 turns its first pair by a right angle
    inputs["rope_cos"] = pairs == 2 ? values({2, 2}, {1, 1, 0, 1}) : values({2, 1}, {1, 0});
    inputs["rope_sin"] = pairs == 2 ? values({2, 2}, {0, 0, 1, 0}) : values({2, 1}, {0, 1});
    std::vector<Number> expected{1, 2, 3, 4};
    expected.insert(expected.end(), row.token_1.begin(), row.token_1.end());
    inputs.erase("positions_k");
    check_equal(reference::compute(problem, inputs).at("k_hat"), {1, 2, 1, 4}, expected);

    inputs["positions_k"] = values({1, 2}, {1, 0}, DType::i64);
    std::rotate(expected.begin(), expected.begin() + 4, expected.end());
    check_equal(reference::compute(problem, inputs).at("k_hat"), {1, 2, 1, 4}, expected);
  }
}
