// Output, enclosure and bound -> verdict, element by element.
#pragma once

#include "verdict/measure.hpp"
#include "verdict/verdict.hpp"

namespace equinorm::verdict {

/// How far a correct implementation may be: |output - exact| <= rigorous, for every element. Infinite: nothing can be said. `probable`,
/// where given, holds for each element with a probability of at least 1 - miss under the model of random rounding errors.
struct ElementBound {
  Tensor<double> rigorous;
  Tensor<double> probable;
  double miss = 0;
};

/// One tensor against its bound. An element with error e against an enclosure of radius rho and a bound B: within if e + rho <= B, beyond
/// if e > B + rho, else undecided; without a finite B unbounded. A finite number where the exact value is -inf is beyond.
struct Judgement {
  Verdict verdict = Verdict::undecided;
  Index elements = 0, within = 0, beyond = 0, undecided = 0, unbounded = 0, nonfinite = 0;
  bool nonzero = false;      ///< an exact value is not 0
  bool tells = false;        ///< and a 0 in its place would be beyond
  Index improbable = 0;      ///< within, but beyond the probable bound
  double ratio = 0;          ///< max (e + rho) / B over bounded elements
  double largest_bound = 0;  ///< max B over bounded elements
  double largest_error = 0;  ///< max e over bounded elements with a finite output
  std::vector<Index> worst;  ///< where ratio is
  double worst_value = 0, worst_exact = 0, worst_bound = 0;

  /// The bounds are so wide that zeros everywhere would be within, too.
  bool blind() const { return nonzero && !tells; }
};

/// violates if any element is beyond; else nonfinite if any output is not finite where the bound is; else undecided if any element is
/// undecided or unbounded; else suspect if more elements are improbable than `miss` explains (6 standard deviations); else within. Throws
/// Error when the shapes differ.
Judgement judge(const Tensor<double>& values, const ReferenceTensor& exact, const ElementBound& bound);

/// Adds the judgement of another part of the same tensor, indices being those of the whole: what judge says of both parts together, without
/// probable bounds. The worst element is the first in index order, whatever the order of the parts.
void join(Judgement& whole, const Judgement& part);

}  // namespace equinorm::verdict
