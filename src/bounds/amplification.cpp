#include "bounds/amplification.hpp"

#include <cmath>
#include <vector>

#include "bounds/rounding.hpp"

namespace equinorm::bounds {
namespace {

double ratio(double above, double below) { return above == 0 ? 0 : below > 0 ? above / below : kInfinity; }

double squares(const LogitTerms& sums, const StoredOperands& stored) {
  return (stored.q_tilde ? sums.square_latent : 0) + (stored.g ? sums.square_explicit : 0) + (stored.alpha ? sums.square_logit : 0);
}

}  // namespace

LogitTerms& LogitTerms::operator+=(const LogitTerms& more) {
  worst_explicit += more.worst_explicit, worst_latent += more.worst_latent, worst_logit += more.worst_logit;
  square_explicit += more.square_explicit, square_latent += more.square_latent, square_logit += more.square_logit;
  centred_explicit += more.centred_explicit, centred_latent += more.centred_latent, count += more.count;
  return *this;
}

LogitTerms logit_terms(std::int64_t d, const double* q_hat, const double* k_hat, std::int64_t r, const double* q_tilde, const double* c,
                       double alpha, const Centre* centre) {
  LogitTerms terms;
  double logit = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    const double product = q_hat[j] * k_hat[j];
    const double centred = q_hat[j] * (k_hat[j] - (centre != nullptr ? centre->k_hat[j] : 0));
    logit += product, terms.worst_explicit += std::fabs(product), terms.square_explicit += product * product;
    terms.centred_explicit += centred * centred;
  }
  for (std::int64_t i = 0; i < r; ++i) {
    const double product = alpha * q_tilde[i] * c[i];
    const double centred = product - (centre != nullptr ? q_tilde[i] * centre->latent[i] : 0);
    terms.worst_latent += std::fabs(product), terms.square_latent += product * product;
    terms.centred_latent += centred * centred;
  }
  terms.worst_logit = std::fabs(logit), terms.square_logit = logit * logit, terms.count = 1;
  return terms;
}

double kappa_w(const LogitTerms& sums, const StoredOperands& stored) {
  const double absorbed =
      (stored.q_tilde ? sums.worst_latent : 0) + (stored.g ? sums.worst_explicit : 0) + (stored.alpha ? sums.worst_logit : 0);
  return ratio(absorbed, stored.explicit_operands * sums.worst_explicit);
}

double kappa_2(const LogitTerms& sums, const StoredOperands& stored) {
  return std::sqrt(ratio(squares(sums, stored), stored.explicit_operands * sums.square_explicit));
}

double kappa_centred(const LogitTerms& sums, const StoredOperands& stored) {
  const double absorbed =
      (stored.q_tilde ? sums.centred_latent : 0) + (stored.g ? sums.centred_explicit : 0) + (stored.alpha ? sums.square_logit : 0);
  return std::sqrt(ratio(absorbed, sums.centred_explicit + (stored.explicit_operands - 1) * sums.square_explicit));
}

double predicted_logit_rms(const LogitTerms& sums, const StoredOperands& stored, double u) {
  return predicted_rms(squares(sums, stored), sums.count, u);
}

OutputTerms& OutputTerms::operator+=(const OutputTerms& more) {
  worst_latent += more.worst_latent, worst_value += more.worst_value, square_latent += more.square_latent;
  square_value += more.square_value, square_centred += more.square_centred, count += more.count;
  return *this;
}

OutputTerms output_terms(std::int64_t r, std::int64_t d_v, std::int64_t tokens, const double* u, const double* w_v, const double* p,
                         const double* v) {
  OutputTerms terms;
  std::vector<double> o(static_cast<std::size_t>(d_v));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t j = 0; j < d_v; ++j) o[static_cast<std::size_t>(j)] += p[t] * v[t * d_v + j];
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t j = 0; j < d_v; ++j) {
      const double value = v[t * d_v + j], product = p[t] * value, centred = p[t] * (value - o[static_cast<std::size_t>(j)]);
      terms.worst_value += std::fabs(product), terms.square_value += product * product, terms.square_centred += centred * centred;
    }
  }
  for (std::int64_t i = 0; i < r; ++i) {
    for (std::int64_t j = 0; j < d_v; ++j) {
      const double product = u[i] * w_v[i * d_v + j];
      terms.worst_latent += std::fabs(product), terms.square_latent += product * product;
    }
  }
  terms.count = static_cast<double>(d_v);
  return terms;
}

double kappa_v(const OutputTerms& sums) { return ratio(sums.worst_latent, sums.worst_value); }

double predicted_rms(double square, double count, double u) { return count > 0 ? kRmsRounding * u * std::sqrt(square / count) : 0; }

}  // namespace equinorm::bounds
