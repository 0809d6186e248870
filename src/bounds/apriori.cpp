#include "bounds/apriori.hpp"

#include <algorithm>

#include "bounds/keys.hpp"
#include "bounds/softmax_sums.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

double stored_unit(const Setting& at, Stored tensor) { return at.rounds(tensor) ? at.format(tensor).unit() : 0; }

/// (1 + u_x)^n (1 + u_s) - 1: n products in f_x, then the store.
double products(const Setting& at, double n, Stored tensor) { return (1 + phi(n, at.fx.unit())) * (1 + stored_unit(at, tensor)) - 1; }

/// Products that make q_hat or k_hat of a vector: alpha, and a weight that may itself have been rounded.
double norm_products(const Setting& at) {
  if (!problem::norm_traits(at.problem).normed) return 0;
  return at.problem.norm.weight == problem::NormWeight::zero_centred ? 3 : 2;
}

/// Soft-cap (1-Lipschitz) and store of a scaled score of at most `size`.
double finish_logit(const Setting& at, double size, double radius) {
  if (!at.problem.softcap.is_zero()) {
    const double cap = at.problem.softcap.to_double(), two = phi(2, at.fx.unit()), lost = at.fx.product_underflow();
    const double argument = radius * (1 + two) + two * size + cap * lost, last = two + at.e_tanh * (1 + two);
    size = std::min(size, cap);
    radius = argument * (1 + last) + last * size + (1 + cap) * lost;
  }
  const double unit = stored_unit(at, Stored::logits);
  return radius + unit * (size + radius) + at.format(Stored::logits).product_underflow();
}

}  // namespace

double apriori_logit(const Setting& at, const LogitSizes& sizes) {
  const problem::Problem& pb = at.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  const bool absorbed = at.absorbed_mla(), mla = pb.is_mla(), has_rope = mla && pb.rope_dim > 0;
  const bool one_chain = at.plan.precision.order.kind == scalar::SumOrder::Kind::any && has_rope;
  const Index chained = one_chain ? pb.rope_dim : 0, dims = mla ? pb.content_dim : pb.head_dim;
  const double n_m = norm_products(at), a = products(at, n_m, Stored::k_hat), a_q = products(at, n_m, Stored::q_hat);
  const double s_k0 = mla ? stored_unit(at, Stored::k0) : 0, d_r = mla ? accumulation(at.products, pb.latent).factor : 0;
  double content = 0;
  if (absorbed) {
    const double d_c = accumulation(at.products, pb.content_dim).factor, d_z = accumulation(at.products, pb.latent + chained).factor;
    const double a_g = products(at, 2 * std::max(0.0, n_m - 1) + (at.folds_alpha_q() ? 1 : 0), Stored::g),
                 s = stored_unit(at, Stored::q_tilde);
    const double held = (1 + s) * (1 + d_z);
    content = (held - 1) * sizes.latent_sum + a_g * sizes.explicit_sum + (held * ((1 + a_g) * (1 + d_c) - 1) - a_g) * sizes.projected;
  } else {
    const double d_c = accumulation(at.products, dims + chained).factor, held = (1 + a) * (1 + a_q) * (1 + d_c);
    content = (held - 1) * sizes.explicit_sum + held * (s_k0 * sizes.explicit_sum + d_r * (1 + s_k0) * sizes.projected);
  }
  const Index depth = !mla ? dims : one_chain ? pb.rope_dim + (absorbed ? pb.latent : dims) : pb.rope_dim;
  const double d_rope = accumulation(at.products, depth).factor, a_x = phi(n_m + 2, at.fx.unit());
  const double stores = (1 + stored_unit(at, Stored::k_hat)) * (1 + stored_unit(at, Stored::q_hat)) * (1 + d_rope);
  const double rope = (stores - 1) * sizes.rope_sum + stores * ((1 + a_x) * (1 + a_x) - 1) * sizes.rope_pairs;
  const int outside = norm.normed && at.absorbed() ? (at.folds_alpha_q() ? 1 : 2) : 0;
  const double rho = (1 + sizes.rho) * (1 + phi(outside, at.fx.unit())), rope_rho = 1 + sizes.rope_rho;
  const double join = has_rope ? 1 + at.fa.unit() : 1, f = join * (1 + phi(2, at.fx.unit()));
  double radius = 0;
  if (norm.spans_rope || !mla) {
    radius = rho * f * (content + rope) + (rho * f - 1) * sizes.sum;
  } else {
    radius = f * (rho * content + (rho - 1) * sizes.content + rope_rho * rope + (rope_rho - 1) * sizes.rope) + (f - 1) * sizes.sum;
  }
  // The allowances for underflow count every relative error at most twice.
  const double widest = accumulation(at.products, mla ? pb.latent + dims + pb.rope_dim : dims).factor;
  if (!(rho * f * stores * (1 + a) * (1 + a_q) * (1 + s_k0) * rope_rho * std::pow(1 + widest, 3) <= 2)) return kInfinity;
  const double scale = std::fabs(at.scale), before = scale * sizes.sum;
  return finish_logit(at, before, scale * (radius + 2 * sizes.underflow) + 2 * at.fx.product_underflow());
}

double apriori_rho(const Setting& at, const SquareSums& sums) {
  const Statistic alpha = statistic(statistic_arithmetic(at, sums.width), sums);
  const double unit = stored_unit(at, Stored::alpha);
  const double lost = at.rounds(Stored::alpha) ? at.format(Stored::alpha).product_underflow() / alpha.alpha : 0;
  return alpha.rho * (1 + unit) + unit + lost;
}

AprioriAverage apriori_average(const Setting& at, const AverageSizes& sizes) {
  const Tiling tiling(at, sizes.tokens);
  const Index rescales = tiling.tiles - 1 + tiling.splits - 1 + (sizes.sink ? 1 : 0);
  const double largest = sizes.largest + sizes.error, shift = sizes.error + largest_shift(at, sizes.tokens, rescales, largest);
  const AverageSums sums = average_sums(at, sizes.tokens, rescales, largest);
  const bool stored = at.rounds(Stored::p), shared = stored && at.plan.denominator_rounded;
  const double tokens = static_cast<double>(sizes.tokens), p_lost = 2 * at.format(Stored::p).product_underflow();
  // Weights w = exp(l + d) + omega are a mixture of the former, normalised, and a share of no more than this of something else.
  const double omega = tokens * (4 * static_cast<double>(1 + rescales) * at.fx.product_underflow() + (shared ? p_lost : 0));
  const double share = omega / (std::exp(-shift) * (1 - 0x1p-30) - omega);
  if (!(share >= 0) || !(sums.denominator < 1)) return {kInfinity, kInfinity, kInfinity};
  const double p_rounding = stored && !shared ? at.format(Stored::p).unit() : 0, quotient = 1 / (1 - sums.denominator);
  const double factor = (1 + p_rounding) * (1 + sums.numerator) * (1 + phi(3, at.fx.unit())) * quotient - 1;
  const double lost =
      stored && !shared ? tokens * p_lost * quotient * (1 + sums.numerator) * (1 + phi(3, at.fx.unit())) / sums.least_sum : 0;
  const double cut = matrix_unit_underflow(at.products, sizes.tokens, std::max(2.0, sizes.value));
  const double least = 2 * quotient * (sums.numerator_underflow + cut) / sums.least_sum + 3 * at.fx.product_underflow();
  return {(std::tanh(shift / 2) + share) * (1 + 0x1p-40), factor + lost, least};
}

bool has_apriori_bounds(const problem::Problem& problem, const paths::Plan& plan) {
  return problem.start == problem::Start::latent && has_bounds(plan);
}

}  // namespace equinorm::bounds
