#include "inputs/family.hpp"

#include <algorithm>
#include <cmath>

#include "problem/norm_traits.hpp"
#include "problem/scale.hpp"

namespace equinorm::inputs {
namespace {

Index fan_in(const TensorSpec& spec) { return spec.shape[spec.shape.size() - 2]; }

/// Power of two nearest to sqrt(width) from below, so that an L2 norm with these gammas gives logits of the size that an RMS norm gives.
double l2_gamma_scale(Index width) {
  double power = 1;
  while (4 * power * power <= static_cast<double>(width)) power *= 2;
  return power;
}

std::unique_ptr<Family> make_normal(const Problem& problem, const RopeTables& tables) { return std::make_unique<Family>(problem, tables); }

}  // namespace

RowPlace place_of(const TensorSpec& spec, Index row) {
  const Index heads = spec.shape.size() == 4 ? spec.shape[2] : 1;
  const Index token = row / heads;
  return {token / spec.shape[1], token % spec.shape[1], row % heads};
}

bool is_key_source(const TensorSpec& spec) { return spec.role == Role::latent || spec.role == Role::key || spec.role == Role::hidden; }

void Family::rows(const TensorSpec& spec, Index first, Index count, double* out) const {
  const Index width = spec.shape.back();
  draw(spec, first * width, count * width, out);
  for (Index row = 0; row < count; ++row) adjust(spec, first + row, out + row * width);
}

void Family::draw(const TensorSpec& spec, Index begin, Index count, double* out) const {
  if (spec.role == Role::gamma) return draw_gammas(spec, begin, count, out);
  unit(stream(spec.name), begin, count, out);
  if (spec.role == Role::weight) {
    const double deviation = 1 / std::sqrt(static_cast<double>(fan_in(spec)));
    for (Index i = 0; i < count; ++i) out[i] *= deviation;
  }
  if (spec.role == Role::sink) {
    const double cap = problem_.softcap.to_double();
    const double maximum = cap > 0 ? std::min(cap, typical_maximum()) : typical_maximum();
    for (Index i = 0; i < count; ++i) out[i] = maximum + 0.5 * out[i];
  }
}

void Family::unit(const RandomStream& source, Index begin, Index count, double* out) const { source.normals(begin, count, out); }

void Family::adjust(const TensorSpec&, Index, double*) const {}

void Family::draw_gammas(const TensorSpec& spec, Index begin, Index count, double* out) const {
  const RandomStream source = stream(spec.name);
  const bool latent = spec.name.ends_with("_latent");
  const double size = problem_.norm.kind == problem::NormKind::l2 && !latent ? l2_gamma_scale(norm_width()) : 1.0;
  if (zero_centred(spec)) {
    source.normals(begin, count, out);
    for (Index i = 0; i < count; ++i) out[i] *= 0.5 * size;
    return;
  }
  for (Index i = 0; i < count; ++i) {
    const std::uint64_t element = 2 * static_cast<std::uint64_t>(begin + i);
    const double magnitude = size * (0.5 + source.uniform(element));
    out[i] = source.uniform(element + 1) < 0.25 ? -magnitude : magnitude;
  }
}

bool Family::zero_centred(const TensorSpec& spec) const {
  return problem_.norm.weight == problem::NormWeight::zero_centred && !spec.name.ends_with("_latent");
}

double Family::scale() const {
  const problem::ScaleSpec spec = problem::softmax_scale(problem_);
  if (spec.value) return spec.value->to_double();
  double scale = 1 / std::sqrt(static_cast<double>(spec.inverse_sqrt_of));
  if (spec.yarn) {
    const double factor = 0.1 * spec.yarn->mscale.to_double() * portable_log(spec.yarn->factor.to_double()) + 1;
    scale *= factor * factor;
  }
  return scale;
}

Index Family::norm_width() const {
  const problem::NormTraits norm = problem::norm_traits(problem_);
  const Index head = problem_.is_mla() && !norm.spans_rope ? problem_.content_dim : problem_.key_dim();
  return norm.over_all_heads ? problem_.groups * head : head;
}

double Family::typical_maximum() const {
  // Logits are about N(0, (scale sqrt(width))^2); the largest of T of them is near sqrt(2 ln T) deviations.
  const double deviation = std::abs(scale()) * std::sqrt(static_cast<double>(problem_.key_dim()));
  return deviation * std::sqrt(2 * portable_log(static_cast<double>(problem_.max_context() + 2)));
}

const std::vector<FamilyRow>& family_table() {
  static const std::vector<FamilyRow> table{
      {"normal", "independent normal activations and weights, gammas of random sign and size", make_normal},
      {"uniform", "the same from a uniform distribution: no tails", make_uniform},
      {"planted-key", "keys with a far larger logit, the largest last: shows dropped tiles, pages and splits and missing rescales",
       make_planted_key},
      {"edge-logits", "large logits on both sides of every mask edge: shows masks that are off by one", make_edge_logits},
      {"small-tokens", "most tokens with RMS near sqrt(eps): shows a wrong, missing or misplaced eps", make_small_tokens},
      {"wide-tokens", "token RMS from 2^-12 to 2^12: shows skipped norms, overflowing sums of squares and misplaced statistics",
       make_wide_tokens},
      {"massive-channels", "a few channels up to 256 times larger than the rest, as in trained models", make_massive_channels},
      {"anisotropic", "key up-projection with rows from 1 to 2^-12 and tokens that share a large mean", make_anisotropic},
      {"nullspace", "latents that the key up-projection nearly cancels: worst for the absorbed form", make_nullspace},
      {"integers", "small integers and powers of two: most sums are exact", make_integers},
      {"zero-token", "tokens and queries that are zero (needs eps above 0)", make_zero_token},
      {"constant", "each tensor one constant: rounding errors do not average out", make_constant},
  };
  return table;
}

}  // namespace equinorm::inputs
