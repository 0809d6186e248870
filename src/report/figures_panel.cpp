#include "report/figures_panel.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/figures.hpp"

namespace equinorm::report {
namespace {

std::string value(const std::optional<double>& x) { return x ? fmt::format("{:.6g}", *x) : "NaN"; }

/// x, error and bound of the explicit form, of the absorbed one.
std::string data_block(const Panel& panel, std::size_t index) {
  std::string text = fmt::format("$panel{} << EOD\n", index);
  for (std::size_t i = 0; i < panel.columns.size(); ++i) {
    const PanelColumn& c = panel.columns[i];
    text += fmt::format("{} {} {} {} {}\n", i, value(c.explicit_form.error), value(c.explicit_form.bound), value(c.absorbed_form.error),
                        value(c.absorbed_form.bound));
  }
  return text + "EOD\n";
}

/// Smallest and largest mark; none where there is no mark.
std::optional<std::pair<double, double>> range_of(const Panel& panel) {
  std::optional<std::pair<double, double>> range;
  const auto include = [&](const std::optional<double>& x) {
    if (!x) return;
    range = range ? std::pair{std::min(range->first, *x), std::max(range->second, *x)} : std::pair{*x, *x};
  };
  for (const PanelColumn& column : panel.columns) {
    for (const PanelMark* mark : {&column.explicit_form, &column.absorbed_form}) include(mark->error), include(mark->bound);
  }
  if (range) include(panel.line);
  return range;
}

std::string panel_program(const Panel& panel, std::size_t index) {
  std::string tics;
  for (std::size_t i = 0; i < panel.columns.size(); ++i)
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", plot_text(panel.columns[i].label), i);
  std::string text = fmt::format(
      "set title {} offset 0,-0.6\nset ylabel {} offset 0.5,0\nset xtics ({}) rotate by 38 right offset 0,-0.2\nset xrange [-0.6:{}]\n",
      plot_text(panel.title), plot_text(panel.y_label), tics, static_cast<double>(panel.columns.size()) - 0.4);
  const auto range = range_of(panel);
  // Between many decades the small marks would be a grey bar.
  text += range && range->second < 1e4 * range->first ? "set mytics default\n" : "unset mytics\n";
  // An empty logarithmic axis has no range of its own; elsewhere no mark may lie on the frame.
  text += range ? fmt::format("set yrange [{:.3g}:{:.3g}]\n", range->first / 2.5, range->second * 2.5)
                : "set label 1 'nothing finite here' at graph 0.5,0.5 center\nset yrange [1e-8:1]\n";
  text += fmt::format(
      "plot {0} using ($1-0.14):2:(0):($3-$2) with vectors nohead lt 1 lw 0.8, {0} using ($1+0.14):4:(0):($5-$4) with vectors nohead lt 2 "
      "lw "
      "0.8, {0} using ($1-0.14):2 with points lt 1 pt 7, {0} using ($1-0.14):3 with points lt 1 pt 6 lw 1.5, {0} using ($1+0.14):4 with "
      "points "
      "lt 2 pt 9, {0} using ($1+0.14):5 with points lt 2 pt 8 lw 1.5",
      fmt::format("$panel{}", index));
  if (panel.line) text += fmt::format(", {:.6g} with lines lt 4 lw 1.5", *panel.line);
  text += "\n";
  if (!range) text += "unset label 1\n";
  return text;
}

}  // namespace

std::string begin_legend(const std::vector<LegendEntry>& entries, const Figure& figure) {
  // Widths in parts of the page; letters of a 13 pixel sans-serif are about 7 wide.
  const double letter = 7.0 / figure.width, mark = 30.0 / figure.width, gap = 20.0 / figure.width, y = 1 - 15.0 / figure.height;
  double total = -gap;
  for (const LegendEntry& entry : entries) total += mark + letter * static_cast<double>(entry.title.size()) + gap;
  double x = 0.5 - total / 2;
  std::string text;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LegendEntry& entry = entries[i];
    if (!entry.dash.empty()) {
      text += fmt::format("set arrow {} from screen {:.4f},{:.4f} to screen {:.4f},{:.4f} nohead lt {} lw 1.5 dt {}\n", i + 11, x, y,
                          x + 0.8 * mark, y, entry.colour, entry.dash);
    }
    if (entry.point > 0) {
      text += fmt::format("set label {} '' at screen {:.4f},{:.4f} point lt {} pt {} lw 1.5\n", i + 11, x + 0.4 * mark, y, entry.colour,
                          entry.point);
    }
    text += fmt::format("set label {} {} at screen {:.4f},{:.4f} left\n", i + 31, plot_text(entry.title), x + mark, y);
    x += mark + letter * static_cast<double>(entry.title.size()) + gap;
  }
  return text;
}

std::string end_legend() { return "unset label\nunset arrow\n"; }

void draw_panels(const std::vector<Panel>& panels, int across, int height, const std::string& line_title, Figure& figure) {
  const int rows = (static_cast<int>(panels.size()) + across - 1) / across;
  figure.height = 40 + height * rows;
  const double unit = 1.0 / figure.height;
  std::string text;
  for (std::size_t i = 0; i < panels.size(); ++i) text += data_block(panels[i], i);
  text += fmt::format(
      "set multiplot layout {},{} margins 0.085,0.985,{:.4f},{:.4f} spacing 0.105,{:.4f}\nset logscale y\nset format y '10^{{%L}}'\n", rows,
      across, 85 * unit, 1 - 55 * unit, 115 * unit);
  std::vector<LegendEntry> legend{
      {"explicit, measured", 1, 7, ""}, {"explicit, bound", 1, 6, ""}, {"absorbed, measured", 2, 9, ""}, {"absorbed, bound", 2, 8, ""}};
  if (!line_title.empty()) legend.push_back({line_title, 4, 0, "1"});
  text += begin_legend(legend, figure);
  for (std::size_t i = 0; i < panels.size(); ++i) text += panel_program(panels[i], i) + (i == 0 ? end_legend() : "");
  figure.program = text + "unset multiplot";
}

}  // namespace equinorm::report
