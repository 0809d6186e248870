// 'Did you mean ...': names close to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace equinorm::problem {

/// The candidates nearest to the word, if their edit distance is within a third of its length (at least 1, at most 3). A swap of neighbours
/// is one edit.
std::vector<std::string> near_names(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean a or b?", or "" when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace equinorm::problem
