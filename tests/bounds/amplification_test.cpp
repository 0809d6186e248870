// Amplification terms by hand, and their predictions against storage roundings carried out.
#include "bounds/amplification.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "scalar/format.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::bounds {
namespace {

using Vector = std::vector<double>;

double rounded(double x) { return scalar::round_to(scalar::kBf16, x, false); }
constexpr double kUnit = 0x1p-8;

TEST_CASE("terms of one logit by hand") {
  const Vector q_hat{1, -2}, k_hat{3, 1}, q_tilde{1, 2, -1}, c{4, 1, 2};
  const LogitTerms t = logit_terms(2, q_hat.data(), k_hat.data(), 3, q_tilde.data(), c.data(), 0.5);
  CHECK(t.worst_explicit == 5);
  CHECK(t.square_explicit == 13);
  CHECK(t.worst_logit == 1);
  CHECK(t.square_logit == 1);
  CHECK(t.worst_latent == 4);
  CHECK(t.square_latent == 6);
  CHECK(t.count == 1);

  CHECK(kappa_w(t, {.q_tilde = true}) == 0.4);
  CHECK(kappa_w(t, {.q_tilde = true, .g = true, .alpha = true}) == 1.0);
  CHECK(kappa_w(t, {.q_tilde = true, .explicit_operands = 1}) == 0.8);
  CHECK(kappa_2(t, {.g = true}) == Approx(std::sqrt(0.5)));
  CHECK(kappa_2(t, {.q_tilde = true, .alpha = true}) == Approx(std::sqrt(7.0 / 26)));
  CHECK(kappa_w(t, {}) == 0);

  LogitTerms twice = t;
  twice += t;
  CHECK(kappa_w(twice, {.q_tilde = true}) == kappa_w(t, {.q_tilde = true}));
  CHECK(predicted_logit_rms(twice, {.q_tilde = true}, kUnit) == Approx(kRmsRounding * kUnit * std::sqrt(6.0)));
}

TEST_CASE("a component that all tokens share is no concern of softmax") {
  const Vector q_hat{1, -2}, k_hat{3, 1}, q_tilde{1, 2, -1}, c{4, 1, 2}, mean_k{2, 1}, mean_c{1, 1, 1};
  const Centre centre{mean_k.data(), mean_c.data()};
  const LogitTerms t = logit_terms(2, q_hat.data(), k_hat.data(), 3, q_tilde.data(), c.data(), 0.5, &centre);
  // q_hat (k_hat - mean) = (1, 0); q_tilde (c / 2 - mean) = (1, -1, 0).
  CHECK(t.centred_explicit == 1);
  CHECK(t.centred_latent == 2);
  CHECK(t.square_explicit == 13);
  CHECK(kappa_centred(t, {.q_tilde = true}) == Approx(std::sqrt(2.0 / 14)));
  CHECK(kappa_centred(t, {.g = true, .alpha = true, .explicit_operands = 1}) == Approx(std::sqrt(2.0)));
  const LogitTerms plain = logit_terms(2, q_hat.data(), k_hat.data(), 3, q_tilde.data(), c.data(), 0.5);
  CHECK(kappa_centred(plain, {.q_tilde = true}) == kappa_2(plain, {.q_tilde = true}));
}

TEST_CASE("no operand at all, or a key of zeros, gives no NaN") {
  const Vector zero{0, 0}, one{1, 1};
  const LogitTerms t = logit_terms(2, zero.data(), one.data(), 2, one.data(), one.data(), 1);
  CHECK(kappa_w(t, {.q_tilde = true}) == HUGE_VAL);
  CHECK(kappa_2(t, {.g = true}) == 0);
  CHECK(predicted_logit_rms({}, {.q_tilde = true}, kUnit) == 0);
}

TEST_CASE("terms of an output by hand") {
  const Vector u{1, -2}, w_v{3, 1, 1, 2}, p{0.25, 0.75}, v{1, -7, 1, -1};
  const OutputTerms t = output_terms(2, 2, 2, u.data(), w_v.data(), p.data(), v.data());
  CHECK(t.worst_latent == 3 + 2 + 1 + 4);
  CHECK(t.square_latent == 9 + 4 + 1 + 16);
  CHECK(t.worst_value == 1 + 1.75 + 0.75);
  CHECK(t.square_value == Approx(0.0625 + 0.5625 + 3.0625 + 0.5625));
  // o = (1, -2.5): centred (0, 0) and (-4.5, 1.5), weighted by p.
  CHECK(t.square_centred == Approx(std::pow(0.25 * 4.5, 2) + std::pow(0.75 * 1.5, 2)));
  CHECK(kappa_v(t) == Approx(10 / 3.5));
  CHECK(t.count == 2);
}

TEST_CASE("the constant of rounding is the rms error over significands spread on a logarithmic scale") {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0, 1);
  double sum = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = std::exp2(exponent(random));
    sum += std::pow((rounded(x) - x) / (x * kUnit), 2);
  }
  CHECK(std::sqrt(sum / kDraws) == Approx(kRmsRounding).epsilon(0.01));
}

TEST_CASE("predicted errors of logits are those that storing the operands makes") {
  constexpr int kD = 128, kR = 512, kTokens = 400;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  const auto draw = [&](int n) {
    Vector x(static_cast<std::size_t>(n));
    for (double& value : x) value = normal(random);
    return x;
  };
  LogitTerms sums;
  double of_q_tilde = 0, of_alpha = 0;
  for (int t = 0; t < kTokens; ++t) {
    const Vector q_hat = draw(kD), k_hat = draw(kD), q_tilde = draw(kR), c = draw(kR);
    const double alpha = std::exp2(normal(random));
    sums += logit_terms(kD, q_hat.data(), k_hat.data(), kR, q_tilde.data(), c.data(), alpha);
    double moved = 0, logit = 0;
    for (std::size_t i = 0; i < kR; ++i) moved += alpha * (rounded(q_tilde[i]) - q_tilde[i]) * c[i];
    for (std::size_t j = 0; j < kD; ++j) logit += q_hat[j] * k_hat[j];
    of_q_tilde += moved * moved;
    of_alpha += std::pow(logit * (rounded(alpha) / alpha - 1), 2);
  }
  CHECK(predicted_logit_rms(sums, {.q_tilde = true}, kUnit) == Approx(std::sqrt(of_q_tilde / kTokens)).epsilon(0.15));
  CHECK(predicted_logit_rms(sums, {.alpha = true}, kUnit) == Approx(std::sqrt(of_alpha / kTokens)).epsilon(0.15));
  CHECK(predicted_logit_rms(sums, {.q_tilde = true, .alpha = true}, kUnit) > predicted_logit_rms(sums, {.q_tilde = true}, kUnit));
}

}  // namespace
}  // namespace equinorm::bounds
