// Figures over a dimension, a stored tensor, or a weight's size.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/figures.hpp"
#include "report/figures_panel.hpp"

namespace equinorm::report {
namespace {

std::string axis_label(const std::string& axis) {
  if (axis == "context") return "context T (tokens)";
  if (axis == "latent rank") return "latent rank r (numbers)";
  return "head dim d_c (numbers)";
}

std::string slope_text(const GrowthSeries& series) {
  const std::optional<double> slope = fitted_slope(series);
  return slope ? fmt::format("{:+.2f}", *slope) : "-";
}

}  // namespace

std::optional<double> fitted_slope(const GrowthSeries& series) {
  double count = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const GrowthPoint& point : series.points) {
    if (!(point.error > 0) || !std::isfinite(point.error) || !(point.n > 0)) continue;
    const double a = std::log2(point.n), b = std::log2(point.error);
    count += 1, x += a, y += b, xx += a * a, xy += a * b;
  }
  const double spread = count * xx - x * x;
  if (!(count >= 2) || !(spread > 0)) return {};
  return (count * xy - x * y) / spread;
}

std::string grade_of(std::optional<double> slope) {
  if (!slope) return "-";
  return *slope <= 0.25 ? "A" : *slope <= 0.75 ? "B" : *slope <= 1.25 ? "C" : "D";
}

Figure growth_figure(const Report& report, const std::string& tensor) {
  Figure figure;
  figure.name = "growth-" + tensor;
  figure.caption = fmt::format(
      "Growth of the error of {} (rms error over rms exact value) as one dimension grows and all others stay; both axes logarithmic. The "
      "table gives each line's fitted slope and its grade; lines that coincide cover each other. {}",
      tensor, report.growth_setting);
  figure.data.columns = {"dimension", "arithmetic", "form", "slope", "grade", "n: error"};
  std::vector<std::string> axes;
  std::string data, plots;
  std::vector<LegendEntry> legend;
  std::size_t index = 0;
  for (const GrowthSeries& series : report.growth) {
    if (std::find(axes.begin(), axes.end(), series.axis) == axes.end()) axes.push_back(series.axis);
  }
  for (const std::string& axis : axes) {
    std::string curves, tics;
    double least = HUGE_VAL, most = 0;
    for (const GrowthSeries& series : report.growth) {
      if (series.axis != axis || series.tensor != tensor) continue;
      data += fmt::format("$series{} << EOD\n", index);
      std::string list, here;
      for (const GrowthPoint& point : series.points) {
        const bool drawn = point.error > 0 && std::isfinite(point.error);
        data += drawn ? fmt::format("{} {:.6g}\n", point.n, point.error) : fmt::format("{} NaN\n", point.n);
        list += fmt::format("{}{:g}: {}", list.empty() ? "" : ", ", point.n, figure_number(point.error));
        least = std::min(least, point.n), most = std::max(most, point.n);
        here += fmt::format("{}{:g}", here.empty() ? "" : ", ", point.n);
      }
      data += "EOD\n";
      tics = here;
      const bool first = series.path == "explicit", wide = series.arithmetic == "fp32";
      curves += fmt::format("{}$series{} using 1:2 with linespoints lt {} lw 1.5 dt {} pt {}", curves.empty() ? "" : ", ", index++,
                            first ? 1 : 2, wide ? "1" : "(6,4)", first ? (wide ? 7 : 6) : (wide ? 9 : 8));
      if (axis == axes.front()) {
        legend.push_back(
            {series.path + ", " + series.arithmetic, first ? 1 : 2, first ? (wide ? 7 : 6) : (wide ? 9 : 8), wide ? "1" : "(6,4)"});
      }
      figure.data.rows.push_back({axis, series.arithmetic, series.path, slope_text(series), grade_of(fitted_slope(series)), list});
    }
    plots += fmt::format("set xlabel {}\nset xtics ({}) rotate by 38 right\nset xrange [{:g}:{:g}]\nplot {}\n{}set ylabel ' '\n",
                         plot_text(axis_label(axis)), tics, 0.85 * least, 1.18 * most, curves, axis == axes.front() ? end_legend() : "");
  }
  figure.height = 400;
  figure.program =
      data + fmt::format(
                 "set multiplot layout 1,{} margins 0.085,0.985,0.23,0.88 spacing 0.07,0\nset logscale xy 2\nset logscale y 10\n"
                 "set format y '10^{{%L}}'\nset ylabel 'rms error / rms value (relative)' offset 0.5,0\n{}{}unset multiplot",
                 std::max<std::size_t>(1, axes.size()), begin_legend(legend, figure), plots);
  return figure;
}

Figure storage_figure(const CaseReport& one, const std::string& name) {
  Figure figure;
  figure.name = name;
  figure.caption =
      "What may be stored in 16 bits: largest error of the last output, over its largest exact element, when one tensor alone is stored in "
      "the format and everything else stays in fp32. The grey line is the measured error with nothing stored in 16 bits. The last entries "
      "are "
      "yardsticks, what a kernel rounds anyway: the output o, and q_hat with k_hat in the explicit form. No mark: the form has no such "
      "tensor.";
  figure.data.columns = {"stored", "format", "form", "error", "bound", "all fp32: error", "bound"};
  std::vector<Panel> panels;
  std::vector<std::string> tensors;
  for (const StorageRow& row : one.storage) {
    if (std::find(tensors.begin(), tensors.end(), row.tensor) == tensors.end()) tensors.push_back(row.tensor);
  }
  for (const StorageRow& row : one.storage) {
    const std::string format = scalar::to_string(row.format);
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const Panel& p) { return p.title == format; });
    if (panel == panels.end()) {
      Panel fresh{format, "error of the output (relative)", {}, {}};
      for (const std::string& tensor : tensors) fresh.columns.push_back({tensor, {}, {}});
      panels.push_back(std::move(fresh));
      panel = panels.end() - 1;
    }
    const auto at = static_cast<std::size_t>(std::find(tensors.begin(), tensors.end(), row.tensor) - tensors.begin());
    PanelMark& mark = row.path == "explicit" ? panel->columns[at].explicit_form : panel->columns[at].absorbed_form;
    if (row.error > 0 && std::isfinite(row.error)) mark.error = row.error;
    mark.bound = row.bound;
    if (row.base_error > 0 && std::isfinite(row.base_error)) panel->line = std::max(panel->line.value_or(0), row.base_error);
    const auto shown = [](const std::optional<double>& x) { return x ? figure_number(*x) : "-"; };
    figure.data.rows.push_back(
        {row.tensor, format, row.path, figure_number(row.error), shown(row.bound), figure_number(row.base_error), shown(row.base_bound)});
  }
  draw_panels(panels, 2, 340, "all fp32, measured", figure);
  return figure;
}

Figure logit_figure(const LogitControl& control) {
  Figure figure;
  figure.name = "logit-control";
  figure.caption = fmt::format(
      "Logit control: the largest |logit| when query and key weights are both multiplied by a factor. Without norm it grows with the "
      "square. "
      "QK-Clip rescales the weights of each head so that its largest logit is {:g} on the tokens that it saw; shown is what other tokens "
      "then "
      "give. QK-norm takes the factor out; the grey line is what it can never exceed. {}",
      control.threshold, control.setting);
  figure.data.columns = {"factor on both weights", "no norm: max |logit|", "QK-Clip: max |logit|", "QK-norm: max |logit|"};
  std::string data = "$logits << EOD\n";
  for (const LogitPoint& point : control.points) {
    data += fmt::format("{:.6g} {:.6g} {:.6g} {:.6g}\n", point.factor, point.none, point.clip, point.norm);
    figure.data.rows.push_back(
        {fmt::format("{:g}", point.factor), figure_number(point.none), figure_number(point.clip), figure_number(point.norm)});
  }
  figure.height = 400;
  figure.program = data + fmt::format(
                              "EOD\nset logscale x 2\nset logscale y 10\nset format x '2^{{%L}}'\nset format y '10^{{%L}}'\n"
                              "set xlabel 'factor on query and key weights (1 = as drawn)'\nset ylabel 'max |logit| (nats)'\n"
                              "set key top left\nset xrange [0.9:*]\n"
                              "plot $logits using 1:2 with linespoints lt 2 lw 1.5 pt 9 title 'no norm', $logits using 1:3 with "
                              "linespoints lt 3 lw 1.5 pt 5 title 'QK-Clip, threshold {0:g}', $logits using 1:4 with linespoints lt 1 lw "
                              "1.5 pt 7 title 'QK-norm', {1:.6g} with lines lt 4 lw 1.5 dt (6,4) title 'limit of QK-norm'",
                              control.threshold, control.norm_limit);
  return figure;
}

}  // namespace equinorm::report
