// Families without a structure across rows: uniform, integers, constant, zero-token.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "inputs/family.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::inputs {
namespace {

class Uniform : public Family {
 public:
  using Family::Family;

 protected:
  void unit(const RandomStream& source, Index begin, Index count, double* out) const override {
    const double full_range = 2 * std::sqrt(3.0);  // unit variance
    source.uniforms(begin, count, out);
    for (Index i = 0; i < count; ++i) out[i] = (out[i] - 0.5) * full_range;
  }
};

class Integers : public Family {
 public:
  using Family::Family;

 protected:
  void draw(const TensorSpec& spec, Index begin, Index count, double* out) const override {
    static constexpr double kGammas[] = {-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2};
    static constexpr double kCentredGammas[] = {-3, -2.5, -2, -0.5, 0.5, 1, 0.25, -0.25};  // 1 + w is never 0
    const RandomStream source = stream(spec.name);
    for (Index i = 0; i < count; ++i) {
      const std::uint64_t bits = source.bits(begin + i) >> 11;
      if (spec.role == Role::gamma) {
        out[i] = (zero_centred(spec) ? kCentredGammas : kGammas)[bits % 8];
      } else if (spec.role == Role::weight) {
        out[i] = (static_cast<double>(bits % 2) - static_cast<double>(bits / 2 % 2)) * weight_unit(spec);
      } else {
        out[i] = static_cast<double>(bits % 17) - 8;
      }
    }
  }

 private:
  /// A power of two near sqrt(2 / fan_in): -1, 0, 0, 1 have variance 1/2.
  static double weight_unit(const TensorSpec& spec) {
    const auto fan_in = static_cast<double>(spec.shape[spec.shape.size() - 2]);
    double unit = 1;
    while (unit * unit * fan_in > 4) unit /= 2;
    return unit;
  }
};

class Constant : public Family {
 public:
  using Family::Family;

 protected:
  void draw(const TensorSpec& spec, Index, Index count, double* out) const override {
    double value = 0.5 + stream(spec.name).uniform(0);
    if (spec.role == Role::weight) value /= static_cast<double>(spec.shape[spec.shape.size() - 2]);
    std::fill_n(out, count, value);
  }
};

class ZeroToken : public Family {
 public:
  ZeroToken(const Problem& problem, const RopeTables& tables) : Family(problem, tables) {
    if (problem::norm_traits(problem).normed && problem.norm.eps.is_zero()) {
      throw Error("inputs zero-token: a zero token has no RMS when norm.eps is 0; eps must be above 0");
    }
  }

 protected:
  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    const bool zero = is_key_source(spec) ? zero_token(place_of(spec, row)) : spec.role == Role::query && row % 4 == 1;
    if (zero) std::fill_n(values, spec.shape.back(), 0.0);
  }

 private:
  /// Every fifth token and, unless it is a query too, the last.
  bool zero_token(const RowPlace& place) const {
    const bool last = problem_.start == problem::Start::latent && place.position == problem_.context_of(place.batch) - 1;
    return place.position % 5 == 2 || (last && place.position > 0);
  }
};

template <class Derived>
std::unique_ptr<Family> make(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<Derived>(problem, tables);
}

}  // namespace

std::unique_ptr<Family> make_uniform(const Problem& problem, const RopeTables& tables) { return make<Uniform>(problem, tables); }
std::unique_ptr<Family> make_integers(const Problem& problem, const RopeTables& tables) { return make<Integers>(problem, tables); }
std::unique_ptr<Family> make_constant(const Problem& problem, const RopeTables& tables) { return make<Constant>(problem, tables); }
std::unique_ptr<Family> make_zero_token(const Problem& problem, const RopeTables& tables) { return make<ZeroToken>(problem, tables); }

}  // namespace equinorm::inputs
