// What hunts found, for people.
#pragma once

#include <string>

#include "report/text_pieces.hpp"
#include "verdict/results.hpp"

namespace equinorm::report {

/// Per case and arithmetic: each form and tensor on the start's inputs beside the worst found, what the hunt cost, and its file.
std::string hunt_text(const verdict::RunResult& run, const Style& style);

}  // namespace equinorm::report
