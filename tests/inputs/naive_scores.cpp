#include "inputs/naive_scores.hpp"

#include <cmath>
#include <string>

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::NormScheme;
using problem::Problem;
using Vector = std::vector<double>;

class Scores {
 public:
  Scores(const Problem& problem, const tensor::TensorMap& inputs) : p_(problem), inputs_(inputs) {}

  Vector all() {
    Vector scores;
    for (Index b = 0; b < p_.batch; ++b) {
      std::vector<Vector> keys;
      for (Index t = 0; t < p_.context_of(b); ++t) {
        for (Index g = 0; g < p_.groups; ++g) keys.push_back(key(b, t, g));
      }
      for (Index h = 0; h < p_.heads; ++h) {
        for (Index i = 0; i < p_.queries; ++i) {
          const Vector q = query(b, i, h);
          for (Index t = 0; t < p_.max_context(); ++t) {
            scores.push_back(t < p_.context_of(b) ? scale() * dot(q, keys[static_cast<std::size_t>(t * p_.groups + p_.group_of(h))]) : 0);
          }
        }
      }
    }
    return scores;
  }

 private:
  static double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  double scale() const { return p_.scale ? p_.scale->to_double() : 1 / std::sqrt(static_cast<double>(p_.key_dim())); }

  Vector slice(const std::string& name, Index begin, Index count) const {
    Vector values(static_cast<std::size_t>(count));
    inputs_.at(name).read(begin, count, values.data());
    return values;
  }

  /// input times columns [column, column + width) of a matrix of `columns` columns that starts at element `begin`.
  Vector project(const Vector& input, const std::string& name, Index begin, Index columns, Index column, Index width) const {
    Vector out(static_cast<std::size_t>(width));
    for (std::size_t m = 0; m < input.size(); ++m) {
      const Vector row = slice(name, begin + static_cast<Index>(m) * columns + column, width);
      for (std::size_t j = 0; j < out.size(); ++j) out[j] += input[m] * row[j];
    }
    return out;
  }

  Vector latent_norm(Vector z, const std::string& gamma) const {
    return p_.norm.latent_norm ? weighted(std::move(z), slice(gamma, 0, inputs_.at(gamma).size()), false) : z;
  }

  Vector hidden(Index b, Index t) const { return slice("x", (b * p_.max_context() + t) * p_.model_dim, p_.model_dim); }

  Vector weighted(Vector z, const Vector& gamma, bool centred) const {
    const double sum = dot(z, z);
    const double width = p_.norm.kind == problem::NormKind::rms ? static_cast<double>(z.size()) : 1;
    const double inverse = 1 / std::sqrt(sum / width + p_.norm.eps.to_double());
    for (std::size_t j = 0; j < z.size(); ++j) z[j] *= inverse * (centred ? 1 + gamma[j] : gamma[j]);
    return z;
  }

  /// The norm of `scheme` with gamma tensor `name` from element `begin` on.
  Vector normed(Vector z, const std::string& name, Index begin = 0) const {
    if (p_.norm.scheme == NormScheme::none) return z;
    const auto width = static_cast<Index>(z.size());
    return weighted(std::move(z), slice(name, begin, width), p_.norm.weight == problem::NormWeight::zero_centred);
  }

  void rotate(Index position, double* values) const {
    const Index pairs = p_.rotated_dim() / 2;
    if (pairs == 0 || position < 0) return;
    const Vector c = slice("rope_cos", position * pairs, pairs), s = slice("rope_sin", position * pairs, pairs);
    const bool interleaved = p_.rope.layout == problem::RopeLayout::interleaved;
    for (Index i = 0; i < pairs; ++i) {
      double& first = values[interleaved ? 2 * i : i];
      double& second = values[interleaved ? 2 * i + 1 : i + pairs];
      const double a = first, b = second;
      first = a * c[i] - b * s[i];
      second = a * s[i] + b * c[i];
    }
  }

  /// Norm and rotation of an mla pair of blocks.
  Vector finish_mla(Vector content, Vector rope, const char* side, Index position) const {
    const std::string name = side;
    Vector both;
    if (p_.norm.scheme == NormScheme::unified) {
      both = content;
      both.insert(both.end(), rope.begin(), rope.end());
      both = normed(both, "gamma_" + name);
    } else {
      both = normed(std::move(content), "gamma_c" + name);
      rope = normed(std::move(rope), "gamma_r" + name);
      both.insert(both.end(), rope.begin(), rope.end());
    }
    rotate(position, both.data() + p_.content_dim);
    return both;
  }

  Vector finish_gqa(const Vector& all_heads, Index head, const char* gamma, Index position) const {
    const auto begin = all_heads.begin() + head * p_.head_dim;
    Vector own(begin, begin + p_.head_dim);
    if (p_.norm.scheme == NormScheme::full_width) {
      const Vector normed_heads = normed(all_heads, gamma);
      std::copy_n(normed_heads.begin() + head * p_.head_dim, p_.head_dim, own.begin());
    } else {
      own = normed(std::move(own), gamma);
    }
    rotate(position, own.data() + (p_.rope.part == problem::RopePart::last ? p_.head_dim - p_.rotated_dim() : 0));
    return own;
  }

  Vector key(Index b, Index t, Index g) const {
    const Index token = b * p_.max_context() + t;
    const bool from_x = p_.start == problem::Start::x;
    if (!p_.is_mla()) {
      const Index width = p_.groups * p_.head_dim;
      return finish_gqa(from_x ? project(hidden(b, t), "w_k", 0, width, 0, width) : slice("k", token * width, width), g, "gamma_k", t);
    }
    const Vector c = from_x ? latent_norm(project(hidden(b, t), "w_dkv", 0, p_.latent, 0, p_.latent), "gamma_kv_latent")
                            : slice("c", token * p_.latent, p_.latent);
    const Vector rope =
        from_x ? project(hidden(b, t), "w_kr", 0, p_.rope_dim, 0, p_.rope_dim) : slice("k_rope", token * p_.rope_dim, p_.rope_dim);
    return finish_mla(project(c, "w_k", g * p_.latent * p_.content_dim, p_.content_dim, 0, p_.content_dim), rope, "k", t);
  }

  Vector query(Index b, Index i, Index h) const {
    const Index position = p_.query_position(b, i), row = b * p_.queries + i;
    const bool from_x = p_.start == problem::Start::x;
    if (!p_.is_mla()) {
      const Index width = p_.heads * p_.head_dim;
      return finish_gqa(from_x ? project(hidden(b, position), "w_q", 0, width, 0, width) : slice("q", row * width, width), h, "gamma_q",
                        position);
    }
    if (!from_x) {
      return finish_mla(slice("q_content", (row * p_.heads + h) * p_.content_dim, p_.content_dim),
                        slice("q_rope", (row * p_.heads + h) * p_.rope_dim, p_.rope_dim), "q", position);
    }
    Vector source = hidden(b, position);
    if (p_.query_latent > 0) source = latent_norm(project(source, "w_dq", 0, p_.query_latent, 0, p_.query_latent), "gamma_q_latent");
    const Index columns = p_.heads * p_.key_dim(), first = h * p_.key_dim();
    return finish_mla(project(source, "w_uq", 0, columns, first, p_.content_dim),
                      project(source, "w_uq", 0, columns, first + p_.content_dim, p_.rope_dim), "q", position);
  }

  const Problem& p_;
  const tensor::TensorMap& inputs_;
};

}  // namespace

std::vector<double> naive_scores(const Problem& problem, const tensor::TensorMap& inputs) { return Scores(problem, inputs).all(); }

bool sees(const Problem& problem, Index b, Index i, Index t) {
  if (t >= problem.context_of(b)) return false;
  const Index position = problem.query_position(b, i);
  if (problem.mask.kind == problem::MaskKind::none) return true;
  if (position < 0 || t > position) return false;
  return problem.mask.kind == problem::MaskKind::causal || t > position - problem.mask.window;
}

}  // namespace equinorm::inputs
