#include "exact/ladder.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "paths/load_inputs.hpp"
#include "paths/mutants.hpp"
#include "paths/path.hpp"
#include "paths/real_arithmetic.hpp"
#include "scalar/error.hpp"

namespace equinorm::exact {
namespace {

using problem::PathKind;
using scalar::Real;

/// A difference of 2^kSlack units in the last place is put down to rounding: at these sizes the longest sums have 2^18 terms, and rounding
/// errors of a path add up to far fewer units than terms times stages.
constexpr double kSlack = 28;

/// Fewer bits at the top decide nothing: rounding could explain a difference of half of them (kSlack - bits > -bits / 2).
constexpr int kDecisiveBits = static_cast<int>(2 * kSlack);

/// max |a - b| / max(1, max |a|) as a power of two. Where exact values cancel to 0 both forms hold rounding errors alone, which fall with
/// the precision but not relative to each other; no output of interest is as small as the differences asked for at high precision.
double log2_relative_difference(const tensor::Tensor<Real>& a, const tensor::Tensor<Real>& b, int bits) {
  Real difference, magnitude = Real::from_integer(1, bits);
  for (tensor::Index i = 0; i < a.size(); ++i) {
    Real d = scalar::sub(a[i], b[i], bits);
    if (!scalar::is_finite(d)) return std::numeric_limits<double>::infinity();
    if (mpfr_cmpabs(d.get(), difference.get()) > 0) difference = std::move(d);
    if (mpfr_cmpabs(a[i].get(), magnitude.get()) > 0) magnitude = a[i];
  }
  if (mpfr_zero_p(difference.get()) != 0) return -std::numeric_limits<double>::infinity();
  // By exponents, since such a quotient leaves binary64's range: |q| = m 2^e with m in [1/2, 1).
  const Real quotient = scalar::div(difference, magnitude, 64);
  long exponent = 0;
  const double mantissa = mpfr_get_d_2exp(&exponent, quotient.get(), MPFR_RNDN);
  return std::log2(std::fabs(mantissa)) + static_cast<double>(exponent);
}

template <class T>
bool same_flags(const tensor::Tensor<T>& a, const tensor::Tensor<T>& b) {
  return a.shape() == b.shape() && std::equal(a.data(), a.data() + a.size(), b.data());
}

/// MPFR's exponents do not overflow here: what is not finite in the explicit form has no value at all.
void check_defined(const problem::Problem& problem, const paths::PathOutput<Real>& explicit_out) {
  for (const auto& [name, tensor] : explicit_out.tensors) {
    if (std::all_of(tensor.data(), tensor.data() + tensor.size(), [](const Real& x) { return scalar::is_finite(x); })) continue;
    throw Error(problem.name + ": exact output " + name + " is not finite or not defined (norm.eps is " + problem.norm.eps.text() +
                "; a zero row needs eps > 0)");
  }
}

double fitted_slope(const std::vector<Rung>& rungs) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Rung& rung : rungs) {
    if (!std::isfinite(rung.log2_difference)) continue;
    const double bits = rung.bits;
    n += 1, x += bits, y += rung.log2_difference, xx += bits * bits, xy += bits * rung.log2_difference;
  }
  const double spread = n * xx - x * x;
  return spread > 0 ? (n * xy - x * y) / spread : 0;
}

}  // namespace

const std::vector<int>& ladder_precisions() {
  static const std::vector<int> bits{24, 53, 64, 113, 256, 512, 1024};
  return bits;
}

Ladder climb(const problem::Problem& problem, const tensor::TensorMap& inputs, const std::vector<int>& precisions,
             std::string_view mutant) {
  static const paths::Wanted compared{"logits", "lse", "o", "o_gated", "y"};
  Ladder ladder;
  bool all_small = true, last_is_small = true;
  for (const int bits : precisions) {
    paths::Plan plan;
    plan.precision = problem.precision;
    plan.precision.order = {};
    paths::Plan other = plan;
    if (!mutant.empty() && paths::find_mutant(mutant).adjust != nullptr) paths::find_mutant(mutant).adjust(problem, other);
    const paths::RealArithmetic ar(bits, plan);
    const auto values = paths::load_inputs(ar, problem, inputs);
    const auto left =
        paths::run_path(ar, PathKind::explicit_form, problem, plan, values, *paths::make_formula<paths::RealArithmetic>(""), compared);
    check_defined(problem, left);
    const auto right =
        paths::run_path(ar, PathKind::absorbed_form, problem, other, values, *paths::make_formula<paths::RealArithmetic>(mutant), compared);
    const bool same_keys = same_flags(left.live, right.live) && same_flags(left.lse_live, right.lse_live);
    double difference = same_keys ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    for (const auto& [name, tensor] : left.tensors)
      difference = std::max(difference, log2_relative_difference(tensor, right.at(name), bits));
    ladder.rungs.push_back({bits, difference});
    all_small = all_small && difference <= kSlack - bits;
    last_is_small = difference <= -bits / 2.0;
  }
  if (!precisions.empty() && precisions.back() >= kDecisiveBits)
    ladder.equal = !last_is_small ? Truth::no : all_small ? Truth::yes : Truth::unknown;
  ladder.slope = fitted_slope(ladder.rungs);
  return ladder;
}

}  // namespace equinorm::exact
