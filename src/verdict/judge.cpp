#include "verdict/judge.hpp"

#include <cmath>

#include "scalar/error.hpp"

namespace equinorm::verdict {
namespace {

void check_shape(const Tensor<double>& values, const Tensor<double>& other, const char* what) {
  if (values.shape() == other.shape()) return;
  throw Error("shape " + tensor::to_string(values.shape()) + " where the " + what + " has " + tensor::to_string(other.shape()));
}

/// More elements beyond the probable bound than chance explains.
bool improbable_often(const Judgement& judgement, double miss) {
  const double n = static_cast<double>(judgement.elements), expected = n * miss;
  return static_cast<double>(judgement.improbable) > expected + 6 * std::sqrt(expected) + 1;
}

Verdict verdict_of(const Judgement& judgement, double miss) {
  if (judgement.beyond > 0) return Verdict::violates;
  if (judgement.nonfinite > 0) return Verdict::nonfinite;
  if (judgement.undecided > 0 || judgement.unbounded > 0 || judgement.elements == 0) return Verdict::undecided;
  return improbable_often(judgement, miss) ? Verdict::suspect : Verdict::within;
}

class Judge {
 public:
  Judge(const Tensor<double>& values, const ReferenceTensor& exact, const ElementBound& bound)
      : values_(values), exact_(exact), bound_(bound) {}

  Judgement run() {
    for (Index i = 0; i < values_.size(); ++i) look(i);
    if (worst_ >= 0) {
      result_.worst = tensor::unravel(values_.shape(), worst_);
      result_.worst_value = values_[worst_], result_.worst_exact = exact_.value[worst_], result_.worst_bound = bound_.rigorous[worst_];
    }
    result_.verdict = verdict_of(result_, bound_.miss);
    return std::move(result_);
  }

 private:
  void look(Index i) {
    const double expected = exact_.value[i], got = values_[i], bound = bound_.rigorous[i];
    const double rho = exact_.radius.empty() ? 0 : exact_.radius[i];
    ++result_.elements;
    if (std::isinf(expected)) {
      result_.nonzero = result_.tells = true;
      if (got == expected) {
        ++result_.within;
      } else {
        ++(std::isfinite(got) ? result_.beyond : result_.nonfinite);
        remember(i, HUGE_VAL);
      }
      return;
    }
    if (!(bound < HUGE_VAL) || !(rho < HUGE_VAL) || !std::isfinite(expected)) {
      ++result_.unbounded;
      return;
    }
    result_.largest_bound = std::fmax(result_.largest_bound, bound);
    result_.nonzero = result_.nonzero || expected != 0;
    result_.tells = result_.tells || !(std::fabs(expected) <= bound);
    if (!std::isfinite(got)) {
      ++result_.nonfinite, remember(i, HUGE_VAL);
      return;
    }
    const double error = std::fabs((got - expected) - exact_.low[i]);
    result_.largest_error = std::fmax(result_.largest_error, error);
    if (error + rho <= bound) {
      ++result_.within;
      if (!bound_.probable.empty() && !(error <= bound_.probable[i] + rho)) ++result_.improbable;
    } else if (error > bound + rho) {
      ++result_.beyond;
    } else {
      ++result_.undecided;
    }
    if (bound > 0)
      remember(i, (error + rho) / bound);
    else if (error > 0)
      remember(i, HUGE_VAL);
  }

  void remember(Index i, double ratio) {
    if (worst_ >= 0 && !(ratio > result_.ratio)) return;
    worst_ = i, result_.ratio = ratio;
  }

  const Tensor<double>& values_;
  const ReferenceTensor& exact_;
  const ElementBound& bound_;
  Judgement result_;
  Index worst_ = -1;
};

}  // namespace

Judgement judge(const Tensor<double>& values, const ReferenceTensor& exact, const ElementBound& bound) {
  check_shape(values, exact.value, "reference");
  check_shape(values, bound.rigorous, "bound");
  return Judge(values, exact, bound).run();
}

void join(Judgement& whole, const Judgement& part) {
  const bool worse = part.ratio > whole.ratio || (part.ratio == whole.ratio && part.worst < whole.worst);
  if (!part.worst.empty() && (whole.worst.empty() || worse)) {
    whole.worst = part.worst, whole.ratio = part.ratio;
    whole.worst_value = part.worst_value, whole.worst_exact = part.worst_exact, whole.worst_bound = part.worst_bound;
  }
  whole.elements += part.elements, whole.within += part.within, whole.beyond += part.beyond, whole.undecided += part.undecided;
  whole.nonzero = whole.nonzero || part.nonzero, whole.tells = whole.tells || part.tells;
  whole.unbounded += part.unbounded, whole.nonfinite += part.nonfinite, whole.improbable += part.improbable;
  whole.largest_bound = std::fmax(whole.largest_bound, part.largest_bound);
  whole.largest_error = std::fmax(whole.largest_error, part.largest_error);
  whole.verdict = verdict_of(whole, 0);
}

}  // namespace equinorm::verdict
