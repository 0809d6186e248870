// The softmax functions of exact arithmetics: exp enters only as exp(a - b) = h(a) / h(b), an lse is carried as E = sum_t h(l_t).
#pragma once

#include "paths/arithmetic.hpp"

namespace equinorm::exact {

using paths::Index;

/// CRTP base. Derived has mul, div, add and `Value exponential(a)`, the keyed, never-zero hash h.
///
/// The reference of a tile is its last live logit: it changes from tile to tile, so that a missing rescale shows.
template <class Derived, class V>
class UninterpretedSoftmax {
 public:
  V exp_difference(const V& a, const V& b) const { return self().div(self().exponential(a), self().exponential(b)); }
  V lse(const V& reference, const V& sum) const { return self().mul(self().exponential(reference), sum); }
  V lse_of(const V& logit) const { return self().exponential(logit); }
  V lse_weight(const V& a, const V& b) const { return self().div(a, b); }
  V lse_join(const V& reference, const V& sum) const { return self().mul(reference, sum); }
  V weight_of(const V& logit, const V& lse) const { return self().div(self().exponential(logit), lse); }
  Index reference(const V*, const std::uint8_t* live, Index n) const {
    for (Index i = n; i-- > 0;) {
      if (live[i] != 0) return i;
    }
    return -1;
  }
  V newer(const V&, const V& met) const { return met; }
  V lse_newer(const V&, const V& met) const { return met; }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace equinorm::exact
