// Random norm schemes for tests: every one that there is, so that a new one is tried without a word here.
#pragma once

#include <vector>

#include "problem/norm_traits.hpp"
#include "reference/dice.hpp"

namespace equinorm::reference {

/// Any scheme that the attention may have, its default twice as often as another.
inline problem::NormScheme any_scheme(Dice& dice, problem::Attention attention) {
  const problem::NormScheme usual = problem::default_scheme(attention);
  std::vector<problem::NormScheme> choices{usual, usual};
  for (const problem::NormScheme scheme : problem::kNormSchemes) {
    if (scheme != usual && problem::belongs_to(scheme, attention)) choices.push_back(scheme);
  }
  return choices[static_cast<std::size_t>(dice.between(0, static_cast<std::int64_t>(choices.size()) - 1))];
}

}  // namespace equinorm::reference
