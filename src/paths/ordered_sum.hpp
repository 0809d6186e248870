// Sums in a stated order, for arithmetics without a vectorised one.
#pragma once

#include "paths/arithmetic.hpp"
#include "scalar/error.hpp"
#include "scalar/sum_order.hpp"

namespace equinorm::paths {

/// term(0) + ... + term(n-1) with `add`, in `order` (scalar/sum_order.hpp); V{} when n is 0. Throws Error for a tensor-core order.
template <class V, class Term, class Add>
V ordered_sum(const scalar::SumOrder& order, Index n, const Term& term, const Add& add) {
  using Kind = scalar::SumOrder::Kind;
  if (order.kind == Kind::tensor_core) throw Error("order: tensor-core models are not available in this arithmetic");
  const auto chain = [&](Index begin, Index end) {
    V total = term(begin);
    for (Index i = begin + 1; i < end; ++i) total = add(total, term(i));
    return total;
  };
  if (n == 0) return V{};
  if (order.kind == Kind::pairwise) {
    const auto tree = [&](const auto& self, Index begin, Index count) -> V {
      if (count == 1) return term(begin);
      Index left = 1;
      while (2 * left < count) left *= 2;
      return add(self(self, begin, left), self(self, begin + left, count - left));
    };
    return tree(tree, 0, n);
  }
  const Index block = order.kind == Kind::blocked ? order.block : n;
  V total = chain(0, block < n ? block : n);
  for (Index begin = block; begin < n; begin += block) total = add(total, chain(begin, begin + block < n ? begin + block : n));
  return total;
}

}  // namespace equinorm::paths
