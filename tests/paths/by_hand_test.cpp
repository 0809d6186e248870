// Both forms of one small problem a second time, in plain loops: every operation rounded to bf16 through MPFR, in the documented order.
#include <mpfr.h>

#include <catch2/catch.hpp>

#include "paths/load_inputs.hpp"
#include "paths/rounded_arithmetic.hpp"
#include "paths/support.hpp"
#include "scalar/rounding_oracle.hpp"

namespace equinorm::paths {
namespace {

namespace oracle = scalar::oracle;
using Vector = std::vector<double>;

// Queries, tokens, heads (one group), latent and head widths, keys per tile.
constexpr Index kS = 2, kT = 5, kH = 2, kR = 3, kDc = 4, kDr = 2, kDv = 2, kTile = 2;

double add(double a, double b) { return oracle::add(scalar::kBf16, a, b); }
double mul(double a, double b) { return oracle::multiply(scalar::kBf16, a, b); }
double function(double a, int (*f)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t)) {
  mpfr_t exact;
  mpfr_init2(exact, 200);
  mpfr_set_d(exact, a, MPFR_RNDN);
  f(exact, exact, MPFR_RNDN);
  oracle::Number number;
  mpfr_set(number.get(), exact, MPFR_RNDN);
  mpfr_clear(exact);
  return oracle::round(scalar::kBf16, number, false);
}
double divide(double a, double b) {
  oracle::Number x(a), y(b);
  mpfr_div(x.get(), x.get(), y.get(), MPFR_RNDN);
  return oracle::round(scalar::kBf16, x, false);
}
/// One chain from the first product, each product and each sum rounded.
double chain(Index n, const double* x, Index x_stride, const double* y, Index y_stride) {
  double total = mul(x[0], y[0]);
  for (Index i = 1; i < n; ++i) total = add(total, mul(x[i * x_stride], y[i * y_stride]));
  return total;
}

/// Inputs by name, as doubles.
struct Numbers {
  std::map<std::string, Vector> all;
  const double* at(const char* name, Index offset) const { return all.at(name).data() + offset; }
};

double inverse_rms(const double* x, Index n) {
  const double eps = oracle::round(scalar::kBf16, 1e-6);
  return function(add(divide(chain(n, x, 1, x, 1), static_cast<double>(n)), eps), mpfr_rec_sqrt);
}

/// A normalised, weighted, interleaved-rotated RoPE block.
Vector rope_block(const Numbers& in, const double* raw, const char* gamma, Index position) {
  const double alpha = inverse_rms(raw, kDr);
  const double first = mul(mul(raw[0], alpha), *in.at(gamma, 0)), second = mul(mul(raw[1], alpha), *in.at(gamma, 1));
  const double c = *in.at("rope_cos", position), s = *in.at("rope_sin", position);
  return {add(mul(first, c), -mul(second, s)), add(mul(first, s), mul(second, c))};
}

struct Score {
  Vector logits;  ///< [T], meaningful up to `seen`
  Index seen;
};

/// The logits of query s of head h; `absorbed` with alpha_q inside q_tilde.
Score score(const Numbers& in, Index s, Index h, bool absorbed) {
  const Index position = kT - kS + s;
  const double* q = in.at("q_content", (s * kH + h) * kDc);
  const double alpha_q = inverse_rms(q, kDc);
  const Vector q_rope = rope_block(in, in.at("q_rope", (s * kH + h) * kDr), "gamma_rq", position);
  Vector q_hat(kDc), g(kDc), q_tilde(kR);
  for (Index j = 0; j < kDc; ++j) {
    q_hat[j] = mul(mul(q[j], alpha_q), *in.at("gamma_cq", j));
    g[j] = mul(mul(mul(q[j], *in.at("gamma_cq", j)), *in.at("gamma_ck", j)), alpha_q);
  }
  for (Index k = 0; k < kR; ++k) q_tilde[k] = chain(kDc, in.at("w_k", k * kDc), 1, g.data(), 1);
  Score result{Vector(kT), position + 1};
  for (Index t = 0; t < result.seen; ++t) {
    const double* c = in.at("c", t * kR);
    Vector k0(kDc), k_hat(kDc);
    for (Index j = 0; j < kDc; ++j) k0[j] = chain(kR, c, 1, in.at("w_k", j), kDc);
    const double alpha_k = inverse_rms(k0.data(), kDc);
    for (Index j = 0; j < kDc; ++j) k_hat[j] = mul(mul(k0[j], alpha_k), *in.at("gamma_ck", j));
    const Vector k_rope = rope_block(in, in.at("k_rope", t * kDr), "gamma_rk", t);
    const double content = absorbed ? mul(chain(kR, q_tilde.data(), 1, c, 1), alpha_k) : chain(kDc, q_hat.data(), 1, k_hat.data(), 1);
    const double scale = oracle::round(scalar::kBf16, 1 / std::sqrt(static_cast<double>(kDc + kDr)));
    result.logits[t] = mul(add(content, chain(kDr, q_rope.data(), 1, k_rope.data(), 1)), scale);
  }
  return result;
}

struct Average {
  Vector mean;
  double lse;
};

/// Online softmax over tiles of kTile keys: the average of the rows y[T, width].
Average average(const Score& score, const Vector& y, Index width) {
  Vector accumulator(static_cast<std::size_t>(width));
  double sum = 0, largest = 0;
  for (Index from = 0; from < score.seen; from += kTile) {
    const Index to = std::min(from + kTile, kT), live = std::min(to, score.seen);
    const double tile_largest = *std::max_element(score.logits.begin() + from, score.logits.begin() + live);
    const double reference = from == 0 ? tile_largest : std::max(largest, tile_largest);
    if (from > 0) {
      const double factor = function(add(largest, -reference), mpfr_exp);
      sum = mul(sum, factor);
      for (double& a : accumulator) a = mul(a, factor);
    }
    double tile_sum = 0;
    for (Index t = from; t < live; ++t) {
      const double weight = function(add(score.logits[t], -reference), mpfr_exp);
      tile_sum = t == from ? weight : add(tile_sum, weight);
      for (Index j = 0; j < width; ++j) accumulator[j] = add(accumulator[j], mul(weight, y[t * width + j]));
    }
    sum = from == 0 ? tile_sum : add(sum, tile_sum);
    largest = reference;
  }
  for (double& a : accumulator) a = divide(a, sum);
  return {accumulator, add(largest, function(sum, mpfr_log))};
}

/// o of one query and head, and its lse in front.
Vector attend(const Numbers& in, Index s, Index h, bool absorbed) {
  const Score logits = score(in, s, h, absorbed);
  Vector values(kT * kDv);
  for (Index t = 0; t < kT; ++t) {
    for (Index j = 0; j < kDv; ++j) values[t * kDv + j] = chain(kR, in.at("c", t * kR), 1, in.at("w_v", j), kDv);
  }
  const Average mean = average(logits, absorbed ? in.all.at("c") : values, absorbed ? kR : kDv);
  Vector result{mean.lse};
  for (Index j = 0; j < kDv; ++j) result.push_back(absorbed ? chain(kR, mean.mean.data(), 1, in.at("w_v", j), kDv) : mean.mean[j]);
  return result;
}

problem::Problem hand_problem() {
  problem::Problem problem;
  problem.queries = kS, problem.context = {kT};
  problem.heads = kH, problem.groups = 1;
  problem.latent = kR, problem.content_dim = kDc, problem.rope_dim = kDr, problem.value_dim = kDv;
  problem.precision.tile = kTile;
  return problem;
}

TEST_CASE("bf16 paths repeat a slow emulation in plain loops bit for bit") {
  const problem::Problem problem = hand_problem();
  Plan plan = plan_in(scalar::kBf16, problem);
  plan.fused = false;
  const RoundedArithmetic<float> ar(plan);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    reference::Dice dice(seed);
    Numbers numbers;
    PathInputs<float> inputs;
    set_default_positions(problem, inputs);
    for (const problem::TensorSpec& spec : problem::input_tensors(problem, kT)) {
      if (spec.role == problem::Role::positions) continue;
      Tensor<float> values(spec.shape);
      for (Index i = 0; i < values.size(); ++i) {
        const double drawn = (spec.role == problem::Role::gamma ? 1 : 0) + 2 * dice.small_number();
        values[i] = spec.role == problem::Role::rope_table ? ar.table(static_cast<float>(dice.small_number())) : ar.input(drawn);
      }
      numbers.all.emplace(spec.name, Vector(values.data(), values.data() + values.size()));
      inputs.tensors.emplace(spec.name, std::move(values));
    }
    for (const PathKind form : kForms) {
      const bool absorbed = form == PathKind::absorbed_form;
      const auto out = run(ar, form, problem, plan, inputs);
      for (Index s = 0; s < kS; ++s) {
        for (Index h = 0; h < kH; ++h) {
          INFO((absorbed ? "absorbed" : "explicit") << ", query " << s << ", head " << h);
          const Score expected = score(numbers, s, h, absorbed);
          for (Index t = 0; t < expected.seen; ++t) REQUIRE(*out.at("logits").row(0, h, s, t) == expected.logits[t]);
          const Vector o = attend(numbers, s, h, absorbed);
          CHECK(*out.at("lse").row(0, h, s) == o[0]);
          for (Index j = 0; j < kDv; ++j) CHECK(*out.at("o").row(0, s, h, j) == o[static_cast<std::size_t>(j + 1)]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace equinorm::paths
