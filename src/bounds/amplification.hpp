// When is absorption worse? What storing an operand in a short format does to logits and outputs, to first order.
#pragma once

#include <cstdint>

namespace equinorm::bounds {

/// rms relative error of rounding to nearest, in units of u, for significands x in [1, 2) spread evenly on a logarithmic scale: the error
/// is even in [-u, u], so its mean square is (u^2 / 3) E[x^-2] = u^2 / (8 ln 2) (rms_rounding: the number).
inline constexpr double kRmsRounding = 0.42466;

/// Sums over content logits l = q_hat . k_hat = alpha (q_tilde . c), before scale; alpha = alpha_k alpha_q. q_hat and k_hat are normalised
/// and weighted (unrotated content blocks).
struct LogitTerms {
  double worst_explicit = 0;    ///< N_e = sum_j |q_hat_j k_hat_j|
  double worst_latent = 0;      ///< N_a = alpha sum_i |q_tilde_i c_i|
  double worst_logit = 0;       ///< |l|
  double square_explicit = 0;   ///< sum_j (q_hat_j k_hat_j)^2
  double square_latent = 0;     ///< alpha^2 sum_i (q_tilde_i c_i)^2
  double square_logit = 0;      ///< l^2
  double centred_explicit = 0;  ///< sum_j (q_hat_j (k_hat_j - centre))^2: what storing q_hat, or g, moves but a shift of the whole row
  double centred_latent = 0;    ///< sum_i (q_tilde_i (alpha c_i - centre))^2: the same of storing q_tilde
  double count = 0;             ///< logits in the sums

  LogitTerms& operator+=(const LogitTerms& more);
};

/// Means over the tokens of a row, weighted with p: sum_t p_t k_hat_t [d] and sum_t p_t alpha_t c_t [r]. Softmax does not see a shift that
/// all tokens share, so roundings on the query's side count with what is left of these.
struct Centre {
  const double* k_hat;
  const double* latent;
};

/// The terms of one logit: d = d_c numbers of q_hat and k_hat, r of q_tilde and c. For gqa's deferred form q_tilde is q_hat without
/// alpha_q and c the key without alpha_k. Without a centre the centred terms are the others.
LogitTerms logit_terms(std::int64_t d, const double* q_hat, const double* k_hat, std::int64_t r, const double* q_tilde, const double* c,
                       double alpha, const Centre* centre = nullptr);

/// Which operands of the absorbed form are stored short, against how many of the explicit one (q_hat and k_hat: 2).
struct StoredOperands {
  bool q_tilde = false, g = false, alpha = false;
  int explicit_operands = 2;
};

/// kappa_w = (s_qt N_a + s_g N_e + s_alpha |l|) / (s_e N_e): largest possible error of the absorbed form's content logits over the explicit
/// form's, storage roundings alone. Infinite where the explicit sum is 0 and the other is not; 0 / 0 is 0.
double kappa_w(const LogitTerms& sums, const StoredOperands& stored);

/// kappa_2: the same of typical (rms) errors, sqrt of the ratio of sums of squares.
double kappa_2(const LogitTerms& sums, const StoredOperands& stored);

/// kappa_2 of what softmax sees: roundings of the query's side (q_hat, g, q_tilde) less their mean over the row, those of a token's own
/// (k_hat, alpha_k) in full. Of `explicit_operands` one is q_hat, all others are the key's.
double kappa_centred(const LogitTerms& sums, const StoredOperands& stored);

/// Predicted rms error of content logits, before scale, from storing these operands with unit roundoff u: kRmsRounding u sqrt(mean square).
/// A model of random roundings, no bound; not machine-checked.
double predicted_logit_rms(const LogitTerms& sums, const StoredOperands& stored, double u);

/// Sums over output elements o_j = sum_i u_i W_ij = sum_t p_t v_tj.
struct OutputTerms {
  double worst_latent = 0;    ///< sum_i |u_i W_ij|
  double worst_value = 0;     ///< sum_t p_t |v_tj|
  double square_latent = 0;   ///< sum_i (u_i W_ij)^2
  double square_value = 0;    ///< sum_t (p_t v_tj)^2
  double square_centred = 0;  ///< sum_t p_t^2 (v_tj - o_j)^2: rounding p moves o by this where the denominator sums the rounded p
  double count = 0;

  OutputTerms& operator+=(const OutputTerms& more);
};

/// The terms of one row of outputs: u [r], w_v [r,d_v], p [T], v [T,d_v].
OutputTerms output_terms(std::int64_t r, std::int64_t d_v, std::int64_t tokens, const double* u, const double* w_v, const double* p,
                         const double* v);

/// kappa_V = sum |u_i W_ij| / sum p_t |v_tj|: storing u against storing v, worst case.
double kappa_v(const OutputTerms& sums);

/// kRmsRounding u sqrt(square / count): likewise a model; not machine-checked.
double predicted_rms(double square, double count, double u);

}  // namespace equinorm::bounds
