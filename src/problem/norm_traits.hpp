// What a norm scheme means for the rest of the house, in one place.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "problem/problem.hpp"

namespace equinorm::problem {

struct NormTraits {
  std::string_view name;              ///< in problem files
  std::string_view description = {};  ///< in `list norms`
  bool mla = false, gqa = false;      ///< which attention may have it
  bool normed = true;                 ///< there is a statistic at all
  bool over_all_heads = false;        ///< one statistic per token over every head's block, and a weight per element
  bool spans_rope = false;            ///< mla: statistic and weights of a head run over [content; RoPE] together
  bool own_rope_statistic = false;    ///< mla: the RoPE block has a statistic and weights of its own
};

/// A new scheme does not compile without its row here. (The exact checks compare two forms of the same scheme; that a scheme is what was
/// meant is for the independent reference in tests/ to say.)
constexpr NormTraits traits(NormScheme scheme) {
  switch (scheme) {
    case NormScheme::blockwise:
      return {.name = "blockwise",
              .description = "mla: one statistic for the content block, one for the RoPE block, per head",
              .mla = true,
              .own_rope_statistic = true};
    case NormScheme::unified:
      return {
          .name = "unified", .description = "mla: one statistic over the concatenated block, per head", .mla = true, .spans_rope = true};
    case NormScheme::per_head:
      return {.name = "per_head", .description = "gqa: one statistic per head", .gqa = true};
    case NormScheme::full_width:
      return {.name = "full_width",
              .description = "one statistic per token over all heads (mla: content; the RoPE block has its own)",
              .mla = true,
              .gqa = true,
              .over_all_heads = true,
              .own_rope_statistic = true};
    case NormScheme::none:
      return {.name = "none", .description = "no QK-norm", .mla = true, .gqa = true, .normed = false};
  }
  return {};
}

/// Every scheme, in the order of the enumeration (whose last is `none`), in which messages and tables list them.
inline constexpr auto kNormSchemes = [] {
  std::array<NormScheme, static_cast<std::size_t>(NormScheme::none) + 1> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<NormScheme>(i);
  return all;
}();

/// What a problem has that does not say.
constexpr NormScheme default_scheme(Attention attention) {
  return attention == Attention::mla ? NormScheme::blockwise : NormScheme::per_head;
}

constexpr bool belongs_to(NormScheme scheme, Attention attention) {
  return attention == Attention::mla ? traits(scheme).mla : traits(scheme).gqa;
}

inline NormTraits norm_traits(const Problem& problem) { return traits(problem.norm.scheme); }

}  // namespace equinorm::problem
