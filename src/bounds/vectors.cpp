#include "bounds/vectors.hpp"

#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

/// One product with a factor f (radius r_f) that the kernel holds: relative rounding, so that the order of several products is free.
double product_radius(const Rounding& fx, double value, double radius, double rho, double factor, double factor_radius) {
  const double magnitude = (1 + rho) * std::fabs(value) + radius, held = std::fabs(factor) + factor_radius;
  return radius * held + (1 + rho) * std::fabs(value) * factor_radius + fx.relative(magnitude * held) + fx.product_underflow();
}

void rotate(const Setting& at, const Finish& how, double rho, double* value, double* radius) {
  const Index half = at.problem.rotated_dim() / 2;
  const bool interleaved = at.problem.rope.layout == problem::RopeLayout::interleaved;
  const Rounding& fx = at.fx;
  const double rounding = phi(2, fx.unit());
  const double underflow = 2 * fx.product_underflow() * (1 + fx.unit()) + fx.sum_underflow();
  for (Index i = 0; i < half; ++i) {
    const Index a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
    const double x = value[a], y = value[b], e_x = radius[a], e_y = radius[b], c = how.cosine[i], s = how.sine[i];
    const double m_x = (1 + rho) * std::fabs(x) + e_x, m_y = (1 + rho) * std::fabs(y) + e_y, ac = std::fabs(c), as = std::fabs(s);
    value[a] = x * c - y * s;
    value[b] = x * s + y * c;
    const double most_a = m_x * ac + m_y * as, most_b = m_x * as + m_y * ac, fits = fx.largest() / (1 + rounding);
    radius[a] = most_a <= fits ? ac * e_x + as * e_y + rounding * most_a + underflow : kInfinity;
    radius[b] = most_b <= fits ? as * e_x + ac * e_y + rounding * most_b + underflow : kInfinity;
  }
}

}  // namespace

Vectors make_vectors(Index rows, Index width) {
  return {Tensor<double>({rows, width}), {}, Tensor<double>({rows, width}), std::vector<double>(static_cast<std::size_t>(rows))};
}

Weights weights(const Setting& at, const paths::PathInputs<double>& in, bool query_side, bool rope_block, Index head_or_group) {
  const problem::Problem& pb = at.problem;
  const problem::NormTraits norm = problem::norm_traits(pb);
  if (!norm.normed || pb.norm.weight == problem::NormWeight::none) return {};
  const std::string suffix = query_side ? "q" : "k";
  const bool whole = norm.spans_rope || !pb.is_mla();
  const Tensor<double>& gamma = in.at(whole ? "gamma_" + suffix : (rope_block ? "gamma_r" : "gamma_c") + suffix);
  const Index width = !pb.is_mla() ? pb.head_dim : rope_block ? pb.rope_dim : pb.content_dim;
  Index first = norm.spans_rope && rope_block ? pb.content_dim : 0;
  if (norm.over_all_heads && !(!query_side && rope_block)) first = head_or_group * width;
  Weights result;
  for (Index j = 0; j < width; ++j) {
    const bool centred = pb.norm.weight == problem::NormWeight::zero_centred;
    const double value = centred ? 1 + gamma[first + j] : gamma[first + j];
    result.value.push_back(value);
    result.radius.push_back(centred ? at.fx.half_ulp(std::fabs(value) * (1 + 0x1p-50)) + 0x1p-52 * std::fabs(value) : 0);
  }
  return result;
}

void finish_values(const Finish& how, double* value, Index width) {
  for (Index j = 0; j < width && how.scaled; ++j) value[j] *= how.alpha;
  if (how.weight == nullptr || how.weight->value.empty()) return;
  for (Index j = 0; j < width; ++j) value[j] *= how.weight->value[j];
}

void finish_row(const Setting& at, const Finish& how, Vectors& x, Index i) {
  double* value = x.value.row(i);
  double* radius = x.radius.row(i);
  const Index width = x.width();
  double& rho = x.rho[static_cast<std::size_t>(i)];
  if (how.scaled) {
    for (Index j = 0; j < width; ++j) {
      // The factor 1 + rho of alpha multiplies what is already wrong; the row's own factor is carried apart.
      radius[j] = product_radius(at.fx, value[j], radius[j], 0, how.alpha * (1 + how.rho), 0);
      value[j] *= how.alpha;
    }
    rho = how.rho;
  }
  if (how.weight != nullptr && !how.weight->value.empty()) {
    for (Index j = 0; j < width; ++j) {
      radius[j] = product_radius(at.fx, value[j], radius[j], rho, how.weight->value[j], how.weight->radius[j]);
      value[j] *= how.weight->value[j];
    }
  }
  if (how.cosine != nullptr) rotate(at, how, rho, value + how.first_rotated, radius + how.first_rotated);
  if (how.unstored) return;
  if (!at.rounds(how.stored)) return;
  if (x.stored.empty()) x.stored = Tensor<double>(x.value.shape());
  for (Index j = 0; j < width; ++j) {
    const double spread = rho * std::fabs(value[j]) + radius[j];
    const Rounding::Held held = at.held_near(how.stored, value[j], spread);
    x.stored.row(i)[j] = held.middle;
    // The row's factor is charged later for the part that is stored with it; a number known by itself is a (held + e) all the same.
    const double common = rho * std::fabs(held.known ? held.shift : value[j]);
    radius[j] = rho < kInfinity ? (held.known ? held.radius + common : held.radius * (1 + 0x1p-50) - common) : kInfinity;
  }
}

}  // namespace equinorm::bounds
