// A-priori bounds: closed forms in the sizes of the data and the dims alone, for one's paper or one's napkin.
#pragma once

#include "bounds/bounds.hpp"

namespace equinorm::bounds {

/// What a closed form is written in. Kind B: absolute sums of the exact data, component by component. Kind A: lengths of vectors and
/// largest entries of matrices (|x . y| <= ||x|| ||y||, || |W| ||_2^2 <= ||W||_1 ||W||_inf), no smaller than B's.
enum class Sizes : std::uint8_t { components, lengths };

/// What the closed form of one logit grows with; hats are exact, before the softmax scale.
struct LogitSizes {
  double explicit_sum = 0;                ///< N_e = sum_j |q_hat_j k_hat_j| (gqa: over the dims that do not turn)
  double latent_sum = 0;                  ///< N_a = alpha_k alpha_q sum_i |q_tilde_i c_i|
  double projected = 0;                   ///< H = alpha_k sum_j |q_hat_j gamma_kj| (|c| |W_K|)_j
  double content = 0, rope = 0, sum = 0;  ///< |l_c|, |l_r|, |l_c + l_r|
  double rope_sum = 0;                    ///< sum_j |q_hat_j k_hat_j| over the RoPE block (gqa: the dims that turn)
  double rope_pairs = 0;                  ///< the same of the lengths of the pairs that rotate together
  double rho = 0, rope_rho = 0;           ///< (1 + rho_q)(1 + rho_k) - 1 of content (unified: of both) and RoPE
  double underflow = 0;                   ///< all that underflow adds to l_c + l_r
};

/// Kind A or B bound of one logit, with phi(h, u) of the plan's orders as the only constants:
///   I_e = ((1+a)^2 (1+D_c) - 1) N_e + (1+a)^2 (1+D_c) (s N_e + D_r (1+s) H)           explicit content
///   I_a = ((1+s)(1+D_r) - 1) N_a + a_g N_e + ((1+s)(1+D_r)((1+a_g)(1+D_c)) - 1 - a_g) H  absorbed content
/// and the RoPE block, common factors, addition, scale, soft-cap and store on top; gqa is I_e with s = D_r = 0 whatever the form, one sum
/// over all dims and one factor. Infinite where the relative errors of a score exceed 1. Proof: apriori_explicit, apriori_absorbed_true,
/// apriori_rope, apriori_blockwise, apriori_unified, soft_cap_error.
double apriori_logit(const Setting& at, const LogitSizes& sizes);

/// rho of alpha_k of a key of square sum `squares`, whose k0 may be off by `radius_squares` and `cross` (SquareSums): as stored.
/// Proof: apriori_statistic.
double apriori_rho(const Setting& at, const SquareSums& sums);

/// What the closed form of an average grows with: E, the largest error of the row's logits, their largest magnitude, and that of any value.
struct AverageSizes {
  Index tokens = 0;
  double error = 0, largest = 0, value = 0;
  bool sink = false;
};
struct AprioriAverage {
  double spread;  ///< times the range of the values: what wrong weights do
  double factor;  ///< k: times the largest |y|, and `least` more
  double least;
};
/// |average - exact| of values y over a row, before the quotient is stored: tanh((E + X) / 2) range + k max|y| and what underflow adds.
/// Infinite where weights may underflow altogether. Proof: apriori_average, average_range, average_share,
/// apriori_average_underflow, least_sum_low.
AprioriAverage apriori_average(const Setting& at, const AverageSizes& sizes);

/// Whether there are closed forms: not where latents, queries and keys are made of x, which are taken for exact here.
bool has_apriori_bounds(const problem::Problem& problem, const paths::Plan& plan);

/// Kind A or B bounds of logits, u (absorbed mla), o, o_gated and y in `wanted`, shapes as error_bounds: what may be said of a kernel
/// before it runs, and where they are stated in lengths before its data are known. Never below what a kernel of the plan does, and mostly
/// above error_bounds. Proof: apriori_explicit, apriori_absorbed_true, apriori_component, apriori_average, apriori_output,
/// lengths_explicit, lengths_absorbed, gate_error. Not machine-checked: what underflow adds to a logit, and binary64's own errors.
/// Throws Error where has_apriori_bounds says no.
Bounds apriori_bounds(const problem::Problem& problem, const tensor::TensorMap& inputs, const paths::Plan& plan, PathKind form,
                      const std::set<std::string>& wanted, Sizes sizes, const FunctionErrors& functions = {});

}  // namespace equinorm::bounds
