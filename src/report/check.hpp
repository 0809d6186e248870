// What `equinorm check` found, on a terminal.
#pragma once

#include <string>

#include "report/terminal.hpp"
#include "verdict/results.hpp"

namespace equinorm::report {

/// One line per case, details and reproduction line of what does not hold; a single case in full. At most 120 columns.
std::string check_text(const verdict::RunResult& run, const Style& style);

/// The conduct of a kernel on one case, a line each; empty: there is none.
std::string conduct_table(const verdict::CaseResult& result, const Style& style);

/// The known faults that fit what failed, a line each; empty: there are none.
std::string faults_text(const verdict::CaseResult& result);

}  // namespace equinorm::report
