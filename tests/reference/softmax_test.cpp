// The decimal reference against numbers worked out by hand: scale, masks, empty rows and huge logits.
#include "reference/hand_values.hpp"

using namespace equinorm;
using problem::MaskKind;
using problem::NormScheme;
using problem::Problem;
using problem::RopeLayout;
using reference::check_equal;
using reference::decimal;
using reference::Number;
using reference::ratio;
using reference::two_token_inputs;
using reference::two_token_problem;
using reference::values;
using scalar::Decimal;
using tensor::Index;
using tensor::TensorMap;

TEST_CASE("default scales") {
  Problem problem;
  problem.attention = problem::Attention::gqa;
  problem.context = {1};
  problem.heads = problem.groups = problem.value_dim = 1;
  problem.head_dim = 4;
  problem.rope_dim = 0;
  problem.rope.layout = RopeLayout::none;
  problem.norm.scheme = NormScheme::none;
  TensorMap inputs;
  inputs["q"] = inputs["k"] = values({1, 1, 1, 4}, {1, 0, 0, 0});
  inputs["v"] = values({1, 1, 1, 1}, {3});
  check_equal(reference::compute(problem, inputs).at("logits"), {1, 1, 1, 1}, {ratio(1, 2)});
  problem.rope.scaling = problem::RopeScaling{};
  problem.rope.scaling->factor = Decimal("40");
  check_equal(reference::compute(problem, inputs).at("logits"), {1, 1, 1, 1}, {ratio(1, 2)});
  problem.rope.scaling->type = problem::RopeScaling::Type::yarn;
  const Number yarn = reference::compute(problem, inputs).at("logits")[0];
  CHECK(abs(yarn * 2 - decimal("1.3688879454113936302852") * decimal("1.3688879454113936302852")) < decimal("1e-20"));
  problem.scale = Decimal("0.25");
  check_equal(reference::compute(problem, inputs).at("logits"), {1, 1, 1, 1}, {ratio(1, 4)});
}

TEST_CASE("masks count from the bottom right of each row, and empty rows are zero") {
  Problem problem;
  problem.attention = problem::Attention::gqa;
  problem.batch = problem.queries = 3;
  problem.context = {5, 2, 0};
  problem.heads = problem.groups = problem.head_dim = problem.value_dim = 1;
  problem.rope_dim = 0;
  problem.rope.layout = RopeLayout::none;
  problem.norm.scheme = NormScheme::none;
  const std::vector<double> ones(15, 1.0);
  TensorMap inputs;
  inputs["q"] = values({3, 3, 1, 1}, std::vector<double>(9, 1.0));
  inputs["k"] = inputs["v"] = values({3, 5, 1, 1}, ones);
  inputs["sink"] = values({1}, {-2});

  struct Row {
    MaskKind kind;
    Index window;
    std::vector<Index> first, end;  // keys [first, end) of each of the 9 queries
  };
  const Row rows[] = {{MaskKind::causal, 0, {0, 0, 0, 0, 0, 0, 0, 0, 0}, {3, 4, 5, 0, 1, 2, 0, 0, 0}},
                      {MaskKind::window, 2, {1, 2, 3, 0, 0, 0, 0, 0, 0}, {3, 4, 5, 0, 1, 2, 0, 0, 0}},
                      {MaskKind::window, 1, {2, 3, 4, 0, 0, 1, 0, 0, 0}, {3, 4, 5, 0, 1, 2, 0, 0, 0}},
                      {MaskKind::none, 0, {0, 0, 0, 0, 0, 0, 0, 0, 0}, {5, 5, 5, 2, 2, 2, 0, 0, 0}}};
  for (const Row& row : rows)
    for (const bool sink : {false, true}) {
      problem.mask = {row.kind, row.window};
      problem.sink = sink;
      INFO(to_string(row.kind) << ' ' << row.window << " sink " << sink);
      const auto out = reference::compute(problem, inputs);
      std::vector<Number> logits, p, lse, o;
      for (std::size_t query = 0; query < 9; ++query) {
        const Index count = row.end[query] - row.first[query];
        const Number sum = Number(count) * exp(Number(1)) + (sink ? exp(Number(-2)) : Number(0));
        for (Index t = 0; t < 5; ++t) {
          const bool seen = t >= row.first[query] && t < row.end[query];
          logits.push_back(seen ? Number(1) : reference::minus_infinity());
          p.push_back(seen ? exp(Number(1)) / sum : Number(0));
        }
        lse.push_back(sum == 0 ? reference::minus_infinity() : log(sum));
        o.push_back(count == 0 ? Number(0) : Number(count) * exp(Number(1)) / sum);
      }
      check_equal(out.at("logits"), {3, 1, 3, 5}, logits);
      check_equal(out.at("p"), {3, 1, 3, 5}, p);
      check_equal(out.at("lse"), {3, 1, 3}, lse);
      check_equal(out.at("o"), {3, 3, 1, 1}, o);
    }
}

TEST_CASE("huge logits neither overflow nor lose the small weight") {
  Problem problem = two_token_problem();
  problem.scale = Decimal("2e6");
  const auto out = reference::compute(problem, two_token_inputs());
  const Number gap = Number(2000000) * (ratio(17, 3) - ratio(68, 15));
  CHECK(abs(out.at("p")[1] * exp(gap) - 1) < decimal("1e-45"));
  CHECK(abs(out.at("o")[0] + 2) < decimal("1e-50"));
  problem.scale = Decimal("1e30");
  problem.softcap = Decimal("3");
  check_equal(reference::compute(problem, two_token_inputs()).at("logits"), {1, 1, 1, 2}, {3, 3});
}
