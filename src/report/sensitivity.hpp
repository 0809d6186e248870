// The sensitivity certificates of a run, for people.
#pragma once

#include <string>

#include "report/text_pieces.hpp"
#include "verdict/results.hpp"

namespace equinorm::report {

/// A matrix mutant x case, and the mutants that no case catches.
std::string sensitivity_text(const verdict::RunResult& run, const Style& style);

}  // namespace equinorm::report
