// Families whose key up-projection is badly conditioned: anisotropic, nullspace.
#include <cmath>
#include <vector>

#include "inputs/family.hpp"

namespace equinorm::inputs {
namespace {

/// The tensor that carries the tokens of the problem, and the projection whose input dims are the latent's, differ with attention and
/// start:
///   mla: c (or w_dkv, whose columns are the latent's dims) and w_k.   gqa: k and q (or w_k and w_q).
bool has_latent_columns(const TensorSpec& spec, const Problem& problem) {
  return problem.is_mla() && (spec.name == "c" || spec.name == "w_dkv");
}
bool has_head_columns(const TensorSpec& spec, const Problem& problem) {
  return !problem.is_mla() && (spec.name == "k" || spec.name == "q" || spec.name == "w_k" || spec.name == "w_q");
}
bool is_up_projection(const TensorSpec& spec, const Problem& problem) { return problem.is_mla() && spec.name == "w_k"; }

class Anisotropic : public Family {
 public:
  Anisotropic(const Problem& problem, const RopeTables& tables) : Family(problem, tables) {
    const Index dims = problem.is_mla() ? problem.latent : problem.head_dim;
    double squares = 0;
    for (Index i = 0; i < dims; ++i) {
      scales_.push_back(std::ldexp(1.0, -static_cast<int>(kOctaves * i / std::max<Index>(1, dims - 1))));
      squares += scales_.back() * scales_.back();
    }
    // Keys keep an RMS near 1.
    for (double& scale : scales_) scale *= std::sqrt(static_cast<double>(dims) / squares);
  }

 protected:
  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    const Index width = spec.shape.back();
    if (is_up_projection(spec, problem_)) {
      for (Index i = 0; i < width; ++i) values[i] *= scales_[static_cast<std::size_t>(row % problem_.latent)];
    } else if (has_head_columns(spec, problem_)) {
      for (Index i = 0; i < width; ++i) values[i] *= scales_[static_cast<std::size_t>(i % problem_.head_dim)];
    }
    if (!is_key_source(spec)) return;
    const RandomStream mean = stream("shared mean of " + spec.name);
    for (Index i = 0; i < width; ++i) values[i] = 0.5 * values[i] + mean.normal(static_cast<std::uint64_t>(i));
  }

 private:
  static constexpr Index kOctaves = 12;
  std::vector<double> scales_;
};

/// Dims are paired (2i, 2i+1). A token holds A + D/2 and A - D/2 there with A much larger than D, the other factor w and -w: A cancels.
/// For gqa the pairs of q and k cancel in the score, as far as the rotation leaves them aligned.
class Nullspace : public Family {
 public:
  using Family::Family;

 protected:
  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    const Index width = spec.shape.back();
    if (is_up_projection(spec, problem_)) return oppose_row(spec, row, values);
    const bool query_side = spec.name == "q" || spec.name == "w_q";
    if (has_head_columns(spec, problem_) && query_side) {
      for (Index i = 0; i + 1 < width; i += 2) values[i + 1] = -values[i];
    } else if (has_latent_columns(spec, problem_) || has_head_columns(spec, problem_)) {
      for (Index i = 0; i + 1 < width; i += 2) {
        const double common = kCancellation * values[i], half_difference = values[i + 1] / 2;
        values[i] = common + half_difference;
        values[i + 1] = common - half_difference;
      }
    } else if (spec.role == Role::gamma && (!problem_.is_mla() || spec.name == "gamma_kv_latent")) {
      for (Index i = 0; i + 1 < width; i += 2) values[i + 1] = values[i];
    }
  }

 private:
  static constexpr double kCancellation = 16;

  /// Row 2i+1 of each group's projection is the negative of row 2i.
  void oppose_row(const TensorSpec& spec, Index row, double* values) const {
    if (row % problem_.latent % 2 == 0) return;
    const Index width = spec.shape.back();
    draw(spec, (row - 1) * width, width, values);
    for (Index i = 0; i < width; ++i) values[i] = -values[i];
  }
};

}  // namespace

std::unique_ptr<Family> make_anisotropic(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<Anisotropic>(problem, tables);
}
std::unique_ptr<Family> make_nullspace(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<Nullspace>(problem, tables);
}

}  // namespace equinorm::inputs
