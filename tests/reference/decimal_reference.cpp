#include "reference/decimal_reference.hpp"

#include <limits>

#include "reference/decimal_stages.hpp"

namespace equinorm::reference {
namespace {

/// dims [begin, begin + count) of every head.
Tensor<Number> slice(const Tensor<Number>& heads, Index begin, Index count) {
  Tensor<Number> part({heads.dim(0), heads.dim(1), heads.dim(2), count});
  for (Index b = 0; b < heads.dim(0); ++b)
    for (Index i = 0; i < heads.dim(1); ++i)
      for (Index h = 0; h < heads.dim(2); ++h)
        for (Index j = 0; j < count; ++j) part.row(b, i, h)[j] = heads.row(b, i, h)[begin + j];
  return part;
}

/// [B,T,d_r]: the RoPE block of the keys, which is the same in every group.
Tensor<Number> shared_rope_key(const Problem& problem, const Tensor<Number>& keys) {
  Tensor<Number> rope({keys.dim(0), keys.dim(1), problem.rope_dim});
  for (Index b = 0; b < keys.dim(0); ++b)
    for (Index t = 0; t < keys.dim(1); ++t)
      for (Index j = 0; j < problem.rope_dim; ++j) rope.row(b, t)[j] = keys.row(b, t, Index{0})[problem.content_dim + j];
  return rope;
}

/// (10): q~ = (q gamma_cq gamma_ck) W_K^T.
Tensor<Number> absorbed_query(const Problem& problem, const TensorMap& inputs, const Tensor<Number>& q) {
  Tensor<Number> q_tilde = undefined_tensor({problem.batch, problem.queries, problem.heads, problem.latent});
  for (Index b = 0; b < problem.batch; ++b)
    for (Index i = 0; i < problem.queries; ++i)
      for (Index h = 0; h < problem.heads && query_exists(problem, b, i); ++h)
        for (Index m = 0; m < problem.latent; ++m) {
          const Index g = problem.group_of(h);
          Number sum = 0;
          for (Index j = 0; j < problem.content_dim; ++j)
            sum += q.row(b, i, h)[j] * weight(problem, inputs, Side::query, h, j) * weight(problem, inputs, Side::key, g, j) *
                   input(inputs, "w_k", {g, m, j});
          q_tilde.row(b, i, h)[m] = sum;
        }
  return q_tilde;
}

}  // namespace

Number to_number(const scalar::Decimal& decimal) {
  const std::string& text = decimal.text();
  const std::size_t exponent_at = text.find_first_of("eE");
  long exponent = exponent_at == std::string::npos ? 0 : std::stol(text.substr(exponent_at + 1));
  Number digits = 0;
  bool fraction = false;
  for (const char c : text.substr(0, exponent_at)) {
    if (c == '.') fraction = true;
    if (c < '0' || c > '9') continue;
    digits = digits * 10 + (c - '0');
    if (fraction) --exponent;
  }
  const Number power = pow(Number(10), static_cast<int>(exponent < 0 ? -exponent : exponent));
  const Number magnitude = exponent < 0 ? digits / power : digits * power;
  return text[0] == '-' ? -magnitude : magnitude;
}

Number minus_infinity() { return -std::numeric_limits<Number>::infinity(); }
bool is_minus_infinity(const Number& value) { return boost::multiprecision::isinf(value) && value < 0; }
Number undefined() { return std::numeric_limits<Number>::quiet_NaN(); }
bool is_undefined(const Number& value) { return boost::multiprecision::isnan(value); }

Outputs compute(const Problem& problem, const TensorMap& inputs) {
  const Operands operands = project(problem, inputs);
  const Normalised q = normalise(problem, inputs, Side::query, operands.q);
  const Normalised k = normalise(problem, inputs, Side::key, operands.k);

  Outputs outputs;
  if (problem.norm.scheme != problem::NormScheme::none) {
    outputs["alpha_q"] = q.alpha;
    outputs["alpha_k"] = k.alpha;
  }
  outputs["q_hat"] = rotate(problem, inputs, Side::query, q.hat);
  outputs["k_hat"] = rotate(problem, inputs, Side::key, k.hat);
  if (problem.is_mla()) {
    outputs["q_tilde"] = absorbed_query(problem, inputs, operands.q);
    if (problem.rope_dim > 0) {
      const bool normalised_later = problem.norm.scheme == problem::NormScheme::unified;
      outputs["q_rope_hat"] = slice(outputs["q_hat"], problem.content_dim, problem.rope_dim);
      outputs["k_rope_cached"] =
          shared_rope_key(problem, normalised_later ? rotate(problem, inputs, Side::key, k.weighted) : outputs["k_hat"]);
    }
  } else {
    outputs["k_deferred"] = rotate(problem, inputs, Side::key, k.weighted);
  }
  attend(problem, inputs, operands, outputs);
  return outputs;
}

}  // namespace equinorm::reference
