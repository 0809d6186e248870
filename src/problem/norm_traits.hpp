// What a norm scheme means for the rest of the house, in one place.
#pragma once

#include <string_view>

#include "problem/problem.hpp"

namespace equinorm::problem {

struct NormTraits {
  bool normed;              ///< there is a statistic at all
  bool over_all_heads;      ///< one statistic per token over every head's block, and a weight per element
  bool spans_rope;          ///< mla: statistic and weights of a head run over [content; RoPE] together
  bool own_rope_statistic;  ///< mla: the RoPE block has a statistic and weights of its own
  std::string_view description;
};

/// A new scheme does not compile without its row here. (The exact checks compare two forms of the same scheme; that a scheme is what was
/// meant is for the independent reference in tests/ to say.)
constexpr NormTraits traits(NormScheme scheme) {
  switch (scheme) {
    case NormScheme::blockwise:
      return {true, false, false, true, "mla: one statistic for the content block, one for the RoPE block, per head"};
    case NormScheme::unified:
      return {true, false, true, false, "mla: one statistic over the concatenated block, per head"};
    case NormScheme::full_width:
      return {true, true, false, true, "one statistic per token over all heads (mla: content; the RoPE block has its own)"};
    case NormScheme::per_head:
      return {true, false, false, false, "gqa: one statistic per head"};
    case NormScheme::none:
      return {false, false, false, false, "no QK-norm"};
  }
  return {};
}

inline NormTraits norm_traits(const Problem& problem) { return traits(problem.norm.scheme); }

}  // namespace equinorm::problem
