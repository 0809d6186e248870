// What the public acceptance rules said, as text.
#pragma once

#include <string>

#include "report/terminal.hpp"

namespace equinorm::report {

/// One table per output: rule, figure, threshold, accepts or rejects; above each our own verdict. Empty when no rule was asked.
std::string rules_table(const verdict::CaseResult& result, const Style& style);

}  // namespace equinorm::report
