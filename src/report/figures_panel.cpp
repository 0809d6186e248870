#include "report/figures_panel.hpp"

#include <fmt/format.h>

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

bool has_mark(const Panel& panel) {
  for (const PanelColumn& column : panel.columns) {
    for (const PanelMark* mark : {&column.explicit_form, &column.absorbed_form}) {
      if (mark->error || mark->bound) return true;
    }
  }
  return false;
}

std::string panel_program(const Panel& panel, std::size_t index, const std::string& line_title) {
  std::string tics;
  for (std::size_t i = 0; i < panel.columns.size(); ++i) tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", plot_text(panel.columns[i].label), i);
  std::string text = fmt::format("set title {} offset 0,-0.6\nset ylabel {} offset 0.5,0\nset xtics ({}) rotate by 38 right offset 0,-0.2\nset xrange [-0.6:{}]\n",
                                 plot_text(panel.title), plot_text(panel.y_label), tics, static_cast<double>(panel.columns.size()) - 0.4);
  // An empty logarithmic axis has no range of its own.
  if (!has_mark(panel)) text += "set label 1 'nothing finite here' at graph 0.5,0.5 center\nset yrange [1e-8:1]\n";
  const std::string data = fmt::format("$panel{}", index);
  text += fmt::format(
      "plot {0} using ($1-0.14):2:(0):($3-$2) with vectors nohead lt 1 lw 0.8, {0} using ($1+0.14):4:(0):($5-$4) with vectors nohead lt 2 lw "
      "0.8, {0} using ($1-0.14):2 with points lt 1 pt 7 title 'explicit, measured', {0} using ($1-0.14):3 with points lt 1 pt 6 lw 1.5 title "
      "'explicit, bound', {0} using ($1+0.14):4 with points lt 2 pt 9 title 'absorbed, measured', {0} using ($1+0.14):5 with points lt 2 pt "
      "8 lw 1.5 title 'absorbed, bound'",
      data);
  if (panel.line) text += fmt::format(", {:.6g} with lines lt 4 lw 1.5 title {}", *panel.line, plot_text(line_title));
  text += "\nunset key\n";
  if (!has_mark(panel)) text += "unset label 1\nset yrange [*:*]\n";
  return text;
}

}  // namespace

void draw_panels(const std::vector<Panel>& panels, int across, int height, const std::string& line_title, Figure& figure) {
  const int rows = (static_cast<int>(panels.size()) + across - 1) / across;
  figure.height = 40 + height * rows;
  const double unit = 1.0 / figure.height;
  std::string text;
  for (std::size_t i = 0; i < panels.size(); ++i) text += data_block(panels[i], i);
  text += fmt::format(
      "set multiplot layout {},{} margins 0.085,0.985,{:.4f},{:.4f} spacing 0.105,{:.4f}\nset logscale y\nset format y '10^{{%L}}'\n"
      "set key at screen 0.5,0.995 center top horizontal maxrows 1 width 1\n",
      rows, across, 85 * unit, 1 - 55 * unit, 115 * unit);
  for (std::size_t i = 0; i < panels.size(); ++i) text += panel_program(panels[i], i, line_title);
  figure.program = text + "unset multiplot";
}

}  // namespace equinorm::report
