// A run as JUnit XML: one suite per case, one test per verdict.
#pragma once

#include <string>

#include "verdict/results.hpp"

namespace equinorm::report {

/// Failing verdicts become <failure>, undecided and skipped ones <skipped>; rows that are only measured are left out.
std::string to_junit(const verdict::RunResult& run);

}  // namespace equinorm::report
