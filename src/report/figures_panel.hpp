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

/// One entry of a legend: a point, a line, or both.
struct LegendEntry {
  std::string title;
  int colour = 1;    ///< gnuplot linetype
  int point = 0;     ///< gnuplot pointtype; 0: none
  std::string dash;  ///< gnuplot dashtype; empty: no line
};

/// Commands that set a legend as one row across the top of the page (gnuplot's own key keeps to the width of a panel); `end_legend` follows
/// the first plot of a multiplot.
std::string begin_legend(const std::vector<LegendEntry>& entries, const Figure& figure);
std::string end_legend();

/// Draws the panels in `across` columns, each `height` pixels high, on logarithmic scales of their own; sets figure.program and its size.
/// `line_title`: what the levels are, empty where there are none.
void draw_panels(const std::vector<Panel>& panels, int across, int height, const std::string& line_title, Figure& figure);

}  // namespace equinorm::report
