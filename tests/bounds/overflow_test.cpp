// Intermediates that overflow, or lose digits to underflow, although what is made of them is an ordinary number: found by `verify --hunt`.
#include <catch2/catch.hpp>
#include <cmath>

#include "bounds/judge.hpp"
#include "inputs/generate.hpp"

namespace equinorm::bounds {
namespace {

paths::Plan all_fp16() {
  paths::Plan plan;
  plan.precision.storage = plan.precision.accumulate = plan.precision.statistics = scalar::kFp16;
  plan.precision.stored.fill(scalar::kFp16);
  plan.fused = false;
  return plan;
}

/// A tensor of `value` throughout.
tensor::AnyTensor constant(const tensor::Shape& shape, double value) {
  tensor::AnyTensor result(tensor::DType::f16, shape);
  const std::vector<double> values(static_cast<std::size_t>(result.size()), value);
  result.write(0, result.size(), values.data());
  return result;
}

problem::Problem one_head(problem::Attention attention, problem::NormScheme scheme, problem::Index tokens, problem::Index width) {
  problem::Problem p;
  p.attention = attention, p.norm.scheme = scheme;
  p.context = {tokens}, p.heads = p.groups = 1;
  p.head_dim = p.value_dim = p.latent = p.content_dim = width;
  p.rope_dim = 0, p.rope.layout = problem::RopeLayout::none;
  p.precision.storage = scalar::kFp16;
  return p;
}

/// Nothing is beyond its bound, and the element `name`[0] has none where `overflows`.
void check(const problem::Problem& problem, const tensor::TensorMap& inputs, PathKind form, const std::string& name, bool overflows) {
  const std::map<std::string, Judged> judged = judge_with_balls(problem, inputs, all_fp16(), form);
  for (const auto& [tensor, one] : judged) {
    INFO(problem::to_string(form) << " " << tensor << " " << one.first);
    CHECK(one.violations == 0);
  }
  CHECK((judged.at(name).unbounded > 0) == overflows);
}

}  // namespace

TEST_CASE("the weighted sum of values overflows before it is divided") {
  const problem::Problem p = one_head(problem::Attention::gqa, problem::NormScheme::none, 8, 2);
  for (const double v : {1024.0, 16384.0}) {
    const tensor::TensorMap inputs{{"q", constant({1, 1, 1, 2}, 0)}, {"k", constant({1, 8, 1, 2}, 1)}, {"v", constant({1, 8, 1, 2}, v)}};
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) check(p, inputs, form, "o", 8 * v > 65504);
  }
}

TEST_CASE("the score overflows between alpha and the softmax scale") {
  // The kernel's own product is 4 x 11250 / 4, the score 90000, the logit 45000.
  const problem::Problem p = one_head(problem::Attention::gqa, problem::NormScheme::per_head, 2, 4);
  for (const double gamma : {75.0, 150.0}) {
    const tensor::TensorMap inputs{{"q", constant({1, 1, 1, 4}, 1)},
                                   {"k", constant({1, 2, 1, 4}, 0.125)},
                                   {"v", constant({1, 2, 1, 4}, 1)},
                                   {"gamma_q", constant({4}, gamma)},
                                   {"gamma_k", constant({4}, gamma)}};
    check(p, inputs, PathKind::absorbed_form, "logits", 4 * gamma * gamma > 65504);
  }
}

TEST_CASE("g overflows before alpha_q makes it small") {
  const problem::Problem p = one_head(problem::Attention::mla, problem::NormScheme::blockwise, 2, 4);
  for (const double gamma : {8.0, 64.0}) {
    const tensor::TensorMap inputs{{"c", constant({1, 2, 4}, 0.5)},    {"q_content", constant({1, 1, 1, 4}, 32)},
                                   {"w_k", constant({1, 4, 4}, 0.25)}, {"w_v", constant({1, 4, 4}, 0.25)},
                                   {"gamma_cq", constant({4}, gamma)}, {"gamma_ck", constant({4}, gamma)}};
    check(p, inputs, PathKind::absorbed_form, "logits", 32 * gamma * gamma > 65504);
  }
}

TEST_CASE("a rotation overflows although its operands do not") {
  problem::Problem p = one_head(problem::Attention::mla, problem::NormScheme::none, 2, 4);
  p.rope_dim = 2, p.rope.layout = problem::RopeLayout::interleaved;
  for (const double key : {30000.0, 60000.0}) {  // at position 1 the second component is key (sin 1 + cos 1)
    tensor::TensorMap inputs = inputs::generate_inputs(p);
    inputs["k_rope"] = constant({1, 2, 2}, key), inputs["q_rope"] = constant({1, 1, 1, 2}, 0x1p-10);
    for (const PathKind form : {PathKind::explicit_form, PathKind::absorbed_form}) check(p, inputs, form, "logits", key > 50000);
  }
}

TEST_CASE("what g loses to underflow is multiplied by alpha_q") {
  const problem::Problem p = one_head(problem::Attention::mla, problem::NormScheme::blockwise, 2, 4);
  for (int units = 1; units < 40; units += 2) {
    const tensor::TensorMap inputs{{"c", constant({1, 2, 4}, 0.5)},    {"q_content", constant({1, 1, 1, 4}, std::ldexp(units, -24))},
                                   {"w_k", constant({1, 4, 4}, 0.25)}, {"w_v", constant({1, 4, 4}, 0.25)},
                                   {"gamma_cq", constant({4}, 1)},     {"gamma_ck", constant({4}, 0.5)}};
    check(p, inputs, PathKind::absorbed_form, "logits", false);
  }
}

}  // namespace equinorm::bounds
