#include "problem/problem.hpp"

#include <algorithm>

#include "problem/names.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::problem {

namespace {

/// What the formulas, the bounds and the oracle can do with a row of norm_traits.hpp.
constexpr bool coherent(const NormTraits& norm) {
  const bool found = !norm.name.empty() && (norm.mla || norm.gqa);
  const bool rope = norm.spans_rope || norm.own_rope_statistic, both = norm.spans_rope && norm.own_rope_statistic;
  const bool whole_head = norm.spans_rope && norm.over_all_heads;
  return found && !both && !whole_head && (norm.mla || !rope) && (norm.normed || !(rope || norm.over_all_heads));
}

constexpr bool all_coherent() {
  for (const NormScheme scheme : kNormSchemes) {
    if (!coherent(traits(scheme))) return false;
  }
  return true;
}
static_assert(all_coherent(), "norm_traits.hpp: a row without a name or an attention, or with properties that contradict each other");
static_assert(traits(static_cast<NormScheme>(kNormSchemes.size())).name.empty(), "problem.hpp: NormScheme::none stands last");

}  // namespace

Index Problem::max_context() const { return context.empty() ? 0 : *std::max_element(context.begin(), context.end()); }

Index Problem::key_statistics() const { return norm_traits(*this).over_all_heads ? 1 : groups; }

std::string to_string(Attention value) { return name_of(kAttentionNames, value); }
std::string to_string(Start value) { return name_of(kStartNames, value); }
std::string to_string(NormScheme value) { return name_of(kNormSchemeNames, value); }
std::string to_string(NormKind value) { return name_of(kNormKindNames, value); }
std::string to_string(NormWeight value) { return name_of(kNormWeightNames, value); }
std::string to_string(RopeLayout value) { return name_of(kRopeLayoutNames, value); }
std::string to_string(RopePart value) { return name_of(kRopePartNames, value); }
std::string to_string(MaskKind value) { return name_of(kMaskKindNames, value); }
std::string to_string(PathKind value) { return name_of(kPathNames, value); }

}  // namespace equinorm::problem
