// What `check --explain` found out about rounding, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "verdict/results.hpp"

namespace equinorm::report {

/// Lines of each output by what of their rounding reaches it, comparisons that rounding turns, where the kernel departs, origins of NaN.
/// Empty where there is nothing of the kind.
std::string explanation_text(const verdict::CaseResult& result);

/// As SCHEMA.md says; null without an explanation.
nlohmann::ordered_json explanation_json(const verdict::CaseResult& result);
nlohmann::ordered_json origins_json(const verdict::CaseResult& result);

}  // namespace equinorm::report
