// Properties of the decimal reference on random problems, and the variety of those problems.
#include "reference/random_problem.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <set>
#include <vector>

#include "problem/tensors.hpp"
#include "reference/decimal_reference.hpp"

using namespace equinorm;
using problem::NormScheme;
using problem::Problem;
using reference::Number;
using tensor::Index;
using tensor::TensorMap;

namespace {

Number decimal(const char* text) { return reference::to_number(scalar::Decimal(text)); }

constexpr std::uint64_t kSeeds = 150;

/// Overwrites what lies past T_b in every input with a token axis.
void poison_padding(const Problem& problem, TensorMap& inputs) {
  const double poison = std::numeric_limits<double>::quiet_NaN();
  for (const char* name : {"c", "k_rope", "k", "v", "x"}) {
    if (inputs.count(name) == 0) continue;
    tensor::AnyTensor& tensor = inputs[name];
    const Index per_token = tensor.size() / (problem.batch * problem.max_context());
    for (Index b = 0; b < problem.batch; ++b)
      for (Index flat = problem.context_of(b) * per_token; flat < problem.max_context() * per_token; ++flat)
        tensor.write(b * problem.max_context() * per_token + flat, 1, &poison);
  }
}

/// (11), (12) and (13) without scale and cap: the absorbed score from q~, alpha and the cached RoPE key.
Number absorbed_score(const Problem& problem, const TensorMap& inputs, const reference::Outputs& out, Index b, Index i, Index h, Index t) {
  const Index g = problem.group_of(h);
  const bool normed = problem.norm.scheme != NormScheme::none, unified = problem.norm.scheme == NormScheme::unified;
  const Number alpha_q = normed ? out.at("alpha_q").row(b, i)[h] : Number(1);
  const Number alpha_k = normed ? out.at("alpha_k").row(b, t)[problem.norm.scheme == NormScheme::full_width ? 0 : g] : Number(1);
  Number content = 0, rope = 0;
  for (Index m = 0; m < problem.latent; ++m)
    content += out.at("q_tilde").row(b, i, h)[m] * Number(inputs.at("c").at((b * problem.max_context() + t) * problem.latent + m));
  for (Index j = 0; j < problem.rope_dim; ++j) rope += out.at("q_rope_hat").row(b, i, h)[j] * out.at("k_rope_cached").row(b, t)[j];
  return content * alpha_q * alpha_k + (unified ? rope * alpha_k : rope);
}

}  // namespace

TEST_CASE("random problems have every output, in its shape, and weights that sum to one") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    TensorMap inputs = reference::random_inputs(problem, seed);
    const reference::Outputs out = reference::compute(problem, inputs);
    std::set<std::string> names;
    for (const problem::TensorSpec& spec : problem::output_tensors(problem)) {
      INFO(spec.name);
      names.insert(spec.name);
      REQUIRE(out.count(spec.name) == 1);
      CHECK(out.at(spec.name).shape() == spec.shape);
    }
    CHECK(names.size() == out.size());
    for (Index b = 0; b < problem.batch; ++b)
      for (Index h = 0; h < problem.heads; ++h)
        for (Index i = 0; i < problem.queries; ++i) {
          const Number lse = out.at("lse").row(b, h)[i];
          Number sum = 0;
          for (Index t = 0; t < problem.max_context(); ++t) sum += out.at("p").row(b, h, i)[t];
          if (problem.sink) sum += exp(Number(inputs.at("sink").at(h)) - lse);
          CHECK(abs(sum - (reference::is_minus_infinity(lse) ? 0 : 1)) < decimal("1e-55"));
        }
  }
}

TEST_CASE("padding does not matter to the reference") {
  int padded = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds / 3; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    INFO(reference::describe(problem));
    TensorMap inputs = reference::random_inputs(problem, seed);
    const reference::Outputs before = reference::compute(problem, inputs);
    poison_padding(problem, inputs);
    padded += problem.context.size() > 1 ? 1 : 0;
    const reference::Outputs after = reference::compute(problem, inputs);
    for (const auto& [name, tensor] : before)
      for (Index flat = 0; flat < tensor.size(); ++flat) {
        const Number &x = tensor[flat], &y = after.at(name)[flat];
        if (!(x == y || (reference::is_undefined(x) && reference::is_undefined(y)))) FAIL_CHECK(name << " changed at " << flat);
      }
  }
  CHECK(padded > 5);
}

TEST_CASE("the absorbed score is the explicit logit") {
  int compared = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = reference::random_small_problem(seed);
    if (!problem.is_mla() || problem.start != problem::Start::latent) continue;
    problem.softcap = scalar::Decimal("0");
    problem.scale = scalar::Decimal("1");
    INFO(reference::describe(problem));
    const TensorMap inputs = reference::random_inputs(problem, seed);
    const reference::Outputs out = reference::compute(problem, inputs);
    for (Index b = 0; b < problem.batch; ++b)
      for (Index h = 0; h < problem.heads; ++h)
        for (Index i = 0; i < problem.queries; ++i)
          for (Index t = 0; t < problem.context_of(b); ++t) {
            const Number logit = out.at("logits").row(b, h, i)[t];
            if (reference::is_minus_infinity(logit)) continue;
            CHECK(abs(logit - absorbed_score(problem, inputs, out, b, i, h, t)) < decimal("1e-50"));
            ++compared;
          }
  }
  CHECK(compared > 1000);
}

TEST_CASE("random problems are varied and repeatable") {
  std::set<std::string> seen;
  bool empty_row = false, short_row = false, no_rope_block = false, query_latent = false, latent_norm = false;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    CHECK(reference::describe(problem) == reference::describe(reference::random_small_problem(seed)));
    const std::string attention = to_string(problem.attention);
    const std::string start = problem.start == problem::Start::x ? " x" : " latent";
    seen.insert(attention + start + ' ' + to_string(problem.norm.scheme));
    seen.insert(attention + ' ' + to_string(problem.norm.kind) + ' ' + to_string(problem.norm.weight));
    seen.insert(attention + " rope " + to_string(problem.rope.layout) +
                (problem.rope.part == problem::RopePart::last ? " last" : " first"));
    seen.insert("mask " + to_string(problem.mask.kind));
    seen.insert("storage " + scalar::to_string(problem.precision.storage));
    for (Index b = 0; b < problem.batch; ++b) {
      empty_row |= problem.context_of(b) == 0;
      short_row |= problem.context_of(b) > 0 && problem.context_of(b) < problem.queries;
    }
    no_rope_block |= problem.is_mla() && problem.rope_dim == 0;
    query_latent |= problem.query_latent > 0;
    latent_norm |= problem.norm.latent_norm;
  }
  // 2 starts x (4 + 3) schemes, 2 x 6 norms, 3 + 6 rope forms (MLA has no part), 3 masks, 3 formats.
  CHECK(seen.size() == 14 + 12 + 9 + 3 + 3);
  CHECK(empty_row);
  CHECK(short_row);
  CHECK(no_rope_block);
  CHECK(query_latent);
  CHECK(latent_norm);
}
