// The softmax functions of arithmetics whose numbers are ordered and have exp and log: an lse is the logarithm itself.
#pragma once

#include <cstdint>

#include "paths/arithmetic.hpp"

namespace equinorm::paths {

/// CRTP base. Derived has add, sub, exp, log and `bool exceeds(a, b)`: a > b, or a is NaN (so that a NaN logit is never passed over).
template <class Derived, class V>
class OrderedSoftmax {
 public:
  V exp_difference(const V& a, const V& b) const { return self().exp(self().sub(a, b)); }

  V lse(const V& reference, const V& sum) const { return self().add(reference, self().log(sum)); }
  V lse_of(const V& logit) const { return logit; }
  V lse_weight(const V& a, const V& b) const { return exp_difference(a, b); }
  V lse_join(const V& reference, const V& sum) const { return lse(reference, sum); }
  V weight_of(const V& logit, const V& lse) const { return exp_difference(logit, lse); }

  Index reference(const V* logits, const std::uint8_t* live, Index n) const {
    Index best = -1;
    for (Index i = 0; i < n; ++i) {
      if (live[i] != 0 && (best < 0 || self().exceeds(logits[i], logits[best]))) best = i;
    }
    return best;
  }
  V newer(const V& old, const V& met) const { return self().exceeds(met, old) ? met : old; }
  V lse_newer(const V& old, const V& met) const { return newer(old, met); }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace equinorm::paths
