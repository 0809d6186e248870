// A document as one self-contained HTML page: no script, no network, figures as inline SVG, light and dark.
#pragma once

#include <string>

#include "report/document.hpp"
#include "report/figures.hpp"

namespace equinorm::report {

/// Figures that `plots` lacks are replaced by "figure skipped: REASON"; their data tables stay, then open.
std::string to_html(const Document& document, const Plots& plots);

}  // namespace equinorm::report
