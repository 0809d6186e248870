#include "problem/problem.hpp"

#include <algorithm>

#include "problem/names.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::problem {

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
