// The stages of the bundled kernels, straight from the formulas, in any real type.
#include <algorithm>

#include "cuda_support.hpp"
#include "problem/norm_traits.hpp"

namespace kernel_tests {

namespace {

double square_root(double x) { return std::sqrt(x); }
Quad square_root(Quad x) {
  Quad y = std::sqrt(static_cast<double>(x));
  for (int i = 0; i < 3; ++i) y = (y + x / y) / 2;
  return y;
}
double exponential(double x) { return std::exp(x); }
/// e^x by halving and the series.
Quad exponential(Quad x) {
  x /= 1 << 20;
  Quad term = 1, sum = 0;  // e^x - 1
  for (int k = 1; k < 12; ++k) term *= x / k, sum += term;
  for (int i = 0; i < 20; ++i) sum = sum * (2 + sum);
  return sum + 1;
}
double logarithm(double x) { return std::log(x); }
/// Newton on e^y = x.
Quad logarithm(Quad x) {
  Quad y = std::log(static_cast<double>(x));
  for (int i = 0; i < 2; ++i) y += x * exponential(-y) - 1;
  return y;
}
double decimal(const scalar::Decimal& value, double) { return value.to_double(); }
Quad decimal(const scalar::Decimal& value, Quad) {
  const double high = value.to_double();
  const scalar::Rational rest = value.value() - scalar::Rational(high);
  return static_cast<Quad>(high) + rest.convert_to<double>();
}

template <class R>
class Formulas {
 public:
  Formulas(const Problem& problem, const Values& in) : p_(problem), in_(in), context_(problem.max_context()) {}

  Expected<R> cache_write() {
    Expected<R> out;
    const problem::NormTraits norm = problem::norm_traits(p_);
    const Index columns = norm.over_all_heads ? 1 : p_.groups, joined = p_.groups / columns;
    if (norm.normed) out["alpha_k"].assign(static_cast<std::size_t>(p_.batch * context_ * columns), NAN);
    if (p_.rope_dim > 0) out["k_rope_cached"].assign(static_cast<std::size_t>(p_.batch * context_ * p_.rope_dim), NAN);
    for (Index b = 0; b < p_.batch; ++b) {
      for (Index t = 0; t < p_.context_of(b); ++t) {
        const Index token = b * context_ + t;
        for (Index column = 0; norm.normed && column < columns; ++column) {
          R sum = 0;
          for (Index g = column * joined; g < (column + 1) * joined; ++g) sum += key_squares(token, g);
          if (norm.spans_rope) sum += squares("k_rope", token * p_.rope_dim, p_.rope_dim);
          out["alpha_k"][static_cast<std::size_t>(token * columns + column)] =
              inverse_norm(sum, joined * p_.content_dim + (norm.spans_rope ? p_.rope_dim : 0));
        }
        if (p_.rope_dim > 0)
          rope_block(out["k_rope_cached"], "k_rope", norm.spans_rope ? "gamma_k" : "gamma_rk", norm.spans_rope ? p_.content_dim : 0, token,
                     t, token, 1);
      }
    }
    return out;
  }

  Expected<R> query() {
    Expected<R> out;
    const bool normed = problem::norm_traits(p_).normed, wide = problem::norm_traits(p_).over_all_heads;
    const Index rows = p_.batch * p_.queries * p_.heads;
    if (normed) out["alpha_q"].resize(static_cast<std::size_t>(rows));
    out["q_tilde"].resize(static_cast<std::size_t>(rows * p_.latent));
    out["q_rope_hat"].resize(static_cast<std::size_t>(rows * p_.rope_dim));
    for (Index row = 0; row < rows; ++row) {
      const Index h = row % p_.heads, s = row / p_.heads % p_.queries, b = row / p_.heads / p_.queries;
      const Index first = wide ? row - h : row, count = wide ? p_.heads : 1;  // the heads that a statistic runs over
      const Index own = wide ? h : 0, own_key = wide ? p_.group_of(h) : 0;    // whose weights
      if (normed)
        out["alpha_q"][static_cast<std::size_t>(row)] =
            inverse_norm(squares("q_content", first * p_.content_dim, count * p_.content_dim), count * p_.content_dim);
      for (Index i = 0; i < p_.latent; ++i) {
        R sum = 0;
        for (Index j = 0; j < p_.content_dim; ++j)
          sum += at("q_content", row * p_.content_dim + j) * weight("gamma_cq", own * p_.content_dim + j) *
                 weight("gamma_ck", own_key * p_.content_dim + j) * at("w_k", (p_.group_of(h) * p_.latent + i) * p_.content_dim + j);
        out["q_tilde"][static_cast<std::size_t>(row * p_.latent + i)] = sum;
      }
      rope_block(out["q_rope_hat"], "q_rope", "gamma_rq", own * p_.rope_dim, row, p_.query_position(b, s), first, count);
    }
    return out;
  }

  /// score, softmax, value of either form.
  Expected<R> decode(bool absorbed) {
    Expected<R> out;
    const Index width = absorbed ? p_.latent : p_.value_dim;
    const std::string name = absorbed ? "u" : "o";
    out[name].assign(static_cast<std::size_t>(p_.batch * p_.queries * p_.heads * width), 0);
    out["lse"].assign(static_cast<std::size_t>(p_.batch * p_.heads * p_.queries), -INFINITY);
    const R scale = p_.scale ? decimal(*p_.scale, R{}) : 1 / square_root(static_cast<R>(p_.key_dim()));
    for (Index b = 0; b < p_.batch; ++b) {
      for (Index s = 0; s < p_.queries; ++s) {
        for (Index h = 0; h < p_.heads; ++h) {
          const Index row = (b * p_.queries + s) * p_.heads + h;
          R total = p_.sink ? exponential(static_cast<R>(at("sink", h))) : 0;
          R* result = out[name].data() + row * width;
          for (Index t = 0; t < p_.context_of(b); ++t) {
            const Index last = p_.query_position(b, s);
            const bool sees = p_.mask.kind == problem::MaskKind::none ||
                              (t <= last && (p_.mask.kind == problem::MaskKind::causal || t > last - p_.mask.window));
            if (!sees) continue;
            const R weight_t = exponential(capped(scale * score(absorbed, row, b * context_ + t, p_.group_of(h))));
            total += weight_t;
            for (Index j = 0; j < width; ++j) result[j] += weight_t * value(absorbed, b * context_ + t, p_.group_of(h), j);
          }
          for (Index j = 0; j < width && total > 0; ++j) result[j] /= total;
          if (total > 0) out["lse"][static_cast<std::size_t>((b * p_.heads + h) * p_.queries + s)] = logarithm(total);
        }
      }
    }
    return out;
  }

 private:
  R at(const char* name, Index i) const { return in_.at(name)[static_cast<std::size_t>(i)]; }
  R weight(const char* gamma, Index j) const {
    if (!in_.contains(gamma)) return 1;
    return p_.norm.weight == problem::NormWeight::zero_centred ? 1 + at(gamma, j) : at(gamma, j);
  }
  R squares(const char* name, Index first, Index count) const {
    R sum = 0;
    for (Index j = 0; j < count; ++j) sum += at(name, first + j) * at(name, first + j);
    return sum;
  }
  /// Sum of squares of k0 = c W_K^(g).
  R key_squares(Index token, Index g) const {
    R sum = 0;
    for (Index j = 0; j < p_.content_dim; ++j) {
      R k0 = 0;
      for (Index i = 0; i < p_.latent; ++i) k0 += at("c", token * p_.latent + i) * at("w_k", (g * p_.latent + i) * p_.content_dim + j);
      sum += k0 * k0;
    }
    return sum;
  }
  R inverse_norm(R sum, Index width) const {
    return 1 / square_root((p_.norm.kind == problem::NormKind::rms ? sum / static_cast<R>(width) : sum) + decimal(p_.norm.eps, R{}));
  }
  /// Row `row` of `raw`, its statistic taken over `count` rows from `first` on.
  void rope_block(std::vector<R>& out, const char* raw, const char* gamma, Index first_gamma, Index row, Index position, Index first,
                  Index count) const {
    const Index n = p_.rope_dim;
    R* x = out.data() + row * n;
    const R alpha = problem::norm_traits(p_).own_rope_statistic ? inverse_norm(squares(raw, first * n, count * n), count * n) : R{1};
    for (Index j = 0; j < n; ++j) x[j] = at(raw, row * n + j) * alpha * weight(gamma, first_gamma + j);
    const Index half = p_.rotated_dim() / 2;
    for (Index i = 0; i < half && position >= 0; ++i) {
      const bool interleaved = p_.rope.layout == problem::RopeLayout::interleaved;
      R &a = x[interleaved ? 2 * i : i], &b = x[interleaved ? 2 * i + 1 : i + half];
      const R c = at("rope_cos", position * half + i), s = at("rope_sin", position * half + i), turned = a * c - b * s;
      b = a * s + b * c;
      a = turned;
    }
  }
  R dot(const char* a, Index first_a, const char* b, Index first_b, Index count) const {
    R sum = 0;
    for (Index j = 0; j < count; ++j) sum += at(a, first_a + j) * at(b, first_b + j);
    return sum;
  }
  R score(bool absorbed, Index row, Index token, Index g) const {
    if (!absorbed) return dot("q_hat", row * p_.key_dim(), "k_hat", (token * p_.groups + g) * p_.key_dim(), p_.key_dim());
    R content = dot("q_tilde", row * p_.latent, "c", token * p_.latent, p_.latent);
    const Index columns = p_.norm.scheme == problem::NormScheme::full_width ? 1 : p_.groups;
    if (in_.contains("alpha_k")) content *= at("alpha_q", row) * at("alpha_k", token * columns + g % columns);
    return p_.rope_dim > 0 ? content + dot("q_rope_hat", row * p_.rope_dim, "k_rope_cached", token * p_.rope_dim, p_.rope_dim) : content;
  }
  R capped(R logit) const {
    const R cap = decimal(p_.softcap, R{});
    return cap > 0 ? cap * (1 - 2 / (exponential(2 * logit / cap) + 1)) : logit;  // tanh
  }
  R value(bool absorbed, Index token, Index g, Index j) const {
    if (absorbed) return at("c", token * p_.latent + j);
    if (!p_.is_mla()) return at("v", (token * p_.groups + g) * p_.value_dim + j);
    auto [entry, fresh] = values_.try_emplace((token * p_.groups + g) * p_.value_dim + j);
    if (fresh) {
      for (Index i = 0; i < p_.latent; ++i)
        entry->second += at("c", token * p_.latent + i) * at("w_v", (g * p_.latent + i) * p_.value_dim + j);
    }
    return entry->second;
  }

  const Problem& p_;
  const Values& in_;
  const Index context_;
  mutable std::map<Index, R> values_;
};

template <class R>
Expected<R> stages(const Problem& problem, const kernels::Declaration& declaration, const Values& inputs) {
  Formulas<R> formulas(problem, inputs);
  if (declaration.stages.first == kernels::Stage::cache_write) return formulas.cache_write();
  if (declaration.stages.first == kernels::Stage::query) return formulas.query();
  return formulas.decode(problem.is_mla() && declaration.form == kernels::PathKind::absorbed_form);
}

}  // namespace

double worst_ratio(const kernels::Declaration& declaration, const Values& outputs, const Expected<double>& exact) {
  double worst = 0;
  for (const auto& [name, values] : outputs) {
    const std::vector<double>& wanted = exact.at(name);
    double size = 0;
    for (const double x : wanted) size = std::isfinite(x) ? std::max(size, std::fabs(x)) : size;
    const double half_ulp = std::ldexp(1.01, -declaration.outputs.at(name).dtype->precision);
    const double weights = std::ldexp(1.0, -declaration.precision.of(problem::Stored::p).precision);
    const double sums = size * (std::ldexp(1.0, -18) + (name == "u" && weights > 1e-6 ? weights : 0.0)) + std::ldexp(1.0, -25);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (std::isnan(wanted[i]) || values[i] == wanted[i]) continue;
      const double ratio = std::fabs(values[i] - wanted[i]) / (half_ulp * std::fabs(wanted[i]) + sums);
      if (!(ratio <= worst)) worst = std::isnan(ratio) ? HUGE_VAL : ratio;
    }
  }
  return worst;
}

Expected<double> expected(const Problem& problem, const kernels::Declaration& declaration, const Values& inputs) {
  return stages<double>(problem, declaration, inputs);
}
Expected<Quad> expected_exactly(const Problem& problem, const kernels::Declaration& declaration, const Values& inputs) {
  return stages<Quad>(problem, declaration, inputs);
}

}  // namespace kernel_tests
