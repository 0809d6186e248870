// A document as Markdown (GitHub's dialect), figures as files beside it.
#pragma once

#include <string>

#include "report/document.hpp"
#include "report/figures.hpp"

namespace equinorm::report {

/// Figures are linked as figures/NAME.svg; one that `plots` lacks becomes "figure skipped: REASON" and its data table. Text is escaped.
std::string to_markdown(const Document& document, const Plots& plots);

}  // namespace equinorm::report
