// Families that scale tokens or channels: small-tokens, wide-tokens, massive-channels.
#include <algorithm>
#include <array>
#include <cmath>

#include "inputs/family.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::inputs {
namespace {

/// Between 2^low and 2^high, about log-uniform (uniform within each octave).
double octave_scale(const RandomStream& source, std::uint64_t index, int low, int high) {
  const auto octaves = static_cast<std::uint64_t>(high - low);
  return std::ldexp(1 + source.uniform(2 * index), low + static_cast<int>(source.bits(2 * index + 1) % octaves));
}

/// Multiplies every token of the keys' sources and every query by a factor of its own. c and k_rope of a token share theirs.
class ScaledTokens : public Family {
 public:
  using Family::Family;

 protected:
  virtual double token_scale(const RandomStream& source, std::uint64_t token) const = 0;

  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    double factor = 1;
    if (is_key_source(spec)) {
      const RowPlace place = place_of(spec, row);
      factor = token_scale(stream("token scale"), static_cast<std::uint64_t>(place.batch * spec.shape[1] + place.position));
    } else if (spec.role == Role::query) {
      factor = token_scale(stream("query scale"), static_cast<std::uint64_t>(row));
    }
    for (Index i = 0; i < spec.shape.back(); ++i) values[i] *= factor;
  }
};

class SmallTokens : public ScaledTokens {
 public:
  SmallTokens(const Problem& problem, const RopeTables& tables) : ScaledTokens(problem, tables), small_(small_size(problem)) {}
  bool common_grid() const override { return false; }

 protected:
  double token_scale(const RandomStream& source, std::uint64_t token) const override {
    // One token in four keeps its size, so that rows hold both kinds.
    return source.uniform(4 * token + 3) < 0.25 ? 1.0 : small_ * octave_scale(source, 2 * token, -3, 3);
  }

  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    ScaledTokens::adjust(spec, row, values);
    // A latent norm undoes the tokens' scale, so the keys are made small by their up-projection.
    if (spec.name != "w_k" || !problem_.is_mla() || !problem_.norm.latent_norm) return;
    for (Index i = 0; i < spec.shape.back(); ++i) values[i] *= 2 * small_;
  }

 private:
  /// The RMS at which eps matters as much as the data; 2^-10 where there is no eps, so that an eps that should not be there shows.
  double small_size(const Problem& problem) const {
    const double eps = problem.norm.eps.to_double();
    if (!problem::norm_traits(problem).normed || !(eps > 0)) return 0x1p-10;
    return std::sqrt(problem.norm.kind == problem::NormKind::l2 ? eps / static_cast<double>(norm_width()) : eps);
  }

  double small_;
};

class WideTokens : public ScaledTokens {
 public:
  using ScaledTokens::ScaledTokens;
  bool common_grid() const override { return false; }

 protected:
  double token_scale(const RandomStream& source, std::uint64_t token) const override { return octave_scale(source, token, -12, 12); }
};

class MassiveChannels : public Family {
 public:
  using Family::Family;
  bool common_grid() const override { return false; }

 protected:
  void adjust(const TensorSpec& spec, Index, double* values) const override {
    if (!is_key_source(spec) && spec.role != Role::query) return;
    const RandomStream source = stream("massive-channels");
    const Index width = spec.shape.back();
    for (Index i = 0; i < width; ++i) values[i] = std::ldexp(values[i], static_cast<int>(source.bits(i) % 5) - 2);
    for (std::uint64_t k = 0; k < kMassive && 2 * static_cast<Index>(k) < width; ++k) {
      const std::uint64_t bits = source.bits((std::uint64_t{1} << 40) + k);
      values[bits % static_cast<std::uint64_t>(width)] *= std::ldexp(1.0, 4 + static_cast<int>(bits >> 60) % 3);
    }
  }

 private:
  static constexpr std::uint64_t kMassive = 4;
};

template <class Derived>
std::unique_ptr<Family> make(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<Derived>(problem, tables);
}

}  // namespace

std::unique_ptr<Family> make_small_tokens(const Problem& problem, const RopeTables& tables) { return make<SmallTokens>(problem, tables); }
std::unique_ptr<Family> make_wide_tokens(const Problem& problem, const RopeTables& tables) { return make<WideTokens>(problem, tables); }
std::unique_ptr<Family> make_massive_channels(const Problem& problem, const RopeTables& tables) {
  return make<MassiveChannels>(problem, tables);
}

}  // namespace equinorm::inputs
