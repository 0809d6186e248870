// Panels of measured errors under their bounds, category by category.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/document.hpp"

namespace equinorm::report {

struct PanelMark {
  std::optional<double> error, bound;
};

struct PanelColumn {
  std::string label;
  PanelMark explicit_form, absorbed_form;
};

struct Panel {
  std::string title, y_label;
  std::vector<PanelColumn> columns;
  std::optional<double> line;  ///< a level to compare with
};

/// Draws the panels in `across` columns, each `height` pixels high, on logarithmic scales of their own; sets figure.program and its size.
/// `line_title`: what the levels are, empty where there are none.
void draw_panels(const std::vector<Panel>& panels, int across, int height, const std::string& line_title, Figure& figure);

}  // namespace equinorm::report
