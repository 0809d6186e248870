// Figures of errors and bounds: the ladder, stage by stage, in ulp.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "problem/tensors.hpp"
#include "report/figures.hpp"
#include "report/figures_panel.hpp"

namespace equinorm::report {
namespace {

using verdict::CaseResult;
using verdict::ErrorRow;
using verdict::ExactCheck;
using verdict::Verdict;

/// Cases that get a colour of their own; more share one.
constexpr std::size_t kNamedCases = 4;

std::vector<std::string> arithmetics_of(const CaseResult& result) {
  std::vector<std::string> names;
  for (const ErrorRow& row : result.errors) {
    if (std::find(names.begin(), names.end(), row.arithmetic) == names.end()) names.push_back(row.arithmetic);
  }
  return names;
}

/// Tensors in data-flow order.
std::vector<std::string> tensors_of(const CaseResult& result) {
  std::vector<std::string> names;
  for (const problem::TensorSpec& spec : problem::output_tensors(result.problem)) {
    const auto is_it = [&](const ErrorRow& row) { return row.tensor == spec.name; };
    if (std::any_of(result.errors.begin(), result.errors.end(), is_it)) names.push_back(spec.name);
  }
  return names;
}

/// The largest exact element times this is the error or bound.
/// `size` relative to the tensor's largest exact element; none where that is not known.
std::optional<double> normwise(const ErrorRow& row, const std::optional<double>& size) {
  if (!size || !(row.error.max_abs > 0) || row.unbounded > 0) return {};
  return *size * (row.error.normwise / row.error.max_abs);
}

}  // namespace

Figure ladder_figure(const Report& report) {
  Figure figure;
  figure.name = "ladder";
  figure.caption =
      "The precision ladder: both forms with the true functions at 24 to 1024 bits. Two equal forms differ by rounding alone, so that "
      "their "
      "difference falls by one bit for each bit of precision, along the grey line; a wrong formula levels off. No mark: no difference at "
      "all.";
  figure.data.columns = {"case", "bits", "log2 of the largest difference of the logits"};
  std::string data, plots;
  std::size_t count = 0;
  for (const CaseReport& one : report.cases) {
    count += std::any_of(one.result.checks.begin(), one.result.checks.end(), [](const ExactCheck& check) { return !check.rungs.empty(); });
  }
  const bool named = count <= kNamedCases;
  std::size_t index = 0;
  for (const CaseReport& one : report.cases) {
    for (const ExactCheck& check : one.result.checks) {
      if (check.rungs.empty()) continue;
      data += fmt::format("$case{} << EOD\n", index);
      for (const verdict::LadderRung& rung : check.rungs) {
        const bool finite = std::isfinite(rung.log2_difference);
        data += finite ? fmt::format("{} {:.6g}\n", rung.bits, rung.log2_difference) : fmt::format("{} NaN\n", rung.bits);
        figure.data.rows.push_back({one.result.problem.name, std::to_string(rung.bits),
                                    finite                     ? fmt::format("{:.1f}", rung.log2_difference)
                                    : rung.log2_difference < 0 ? "no difference"
                                                               : "not finite"});
      }
      data += "EOD\n";
      const std::string title = named ? plot_text(one.result.problem.name) : index == 0 ? "'one mark a case'" : "''";
      plots += fmt::format(", $case{} using 1:2 with {} lt {} lw 1.5 pt {} title {}", index, named ? "linespoints" : "points",
                           named ? std::array{1, 2, 3, 5}.at(index) : 1, named ? std::array{7, 9, 5, 13}.at(index) : 6, title);
      ++index;
    }
  }
  figure.height = 380;
  figure.program = data +
                   "set xlabel 'precision of every operation (bits)'\nset ylabel 'log_2 of the largest difference (bits)'\n"
                   "set xtics (24, 53, 128, 256, 512, 1024)\nset xrange [0:1060]\nset key top right\n"
                   "plot -x with lines lt 4 lw 3 title 'slope -1: one bit for each bit'" +
                   plots;
  return figure;
}

Figure stage_figure(const CaseReport& one, const std::string& name) {
  const std::vector<std::string> tensors = tensors_of(one.result), arithmetics = arithmetics_of(one.result);
  Figure figure;
  figure.name = name;
  figure.caption =
      "Measured error and rigorous bound of every tensor of the path, in data-flow order, relative to the tensor's largest exact element. "
      "Filled marks: largest measured error; open marks above them: the largest bound. Explicit beside absorbed; a tensor that a form does "
      "not have, an error of 0, and a bound that is not finite have no mark. alpha_q is applied to the score tile.";
  figure.data.columns = {"arithmetic", "tensor", "form", "error / largest", "bound / largest", "largest error / bound"};
  std::vector<Panel> panels;
  for (const std::string& arithmetic : arithmetics) {
    Panel panel;
    panel.title = arithmetic;
    panel.y_label = "error / largest exact (relative)";
    for (const std::string& tensor : tensors) {
      PanelColumn column;
      column.label = tensor;
      for (const ErrorRow& row : one.result.errors) {
        if (row.arithmetic != arithmetic || row.tensor != tensor) continue;
        const bool finite = row.error.nonfinite == 0;
        const std::optional<double> bound = normwise(row, row.bound);
        const double error = normwise(row, row.judged_error).value_or(row.error.normwise);
        PanelMark& mark = row.path == "explicit" ? column.explicit_form : column.absorbed_form;
        if (finite && error > 0) mark.error = error;
        mark.bound = bound;
        figure.data.rows.push_back({arithmetic, tensor, row.path, finite ? figure_number(error) : "not finite",
                                    bound ? figure_number(*bound) : "-", row.ratio && row.bound ? figure_number(*row.ratio) : "-"});
      }
      panel.columns.push_back(std::move(column));
    }
    panels.push_back(std::move(panel));
  }
  draw_panels(panels, 2, 300, "", figure);
  return figure;
}

Figure histogram_figure(const CaseReport& one, const std::string& name) {
  Figure figure;
  figure.name = name;
  figure.caption =
      "How far the elements of the last output are from their exact values, in units in the last place (ulp) of the format that it is kept "
      "in. A correctly rounded element is within 0.5 ulp, left of the vertical line; what lies right of it was lost on the way.";
  figure.data.columns = {"arithmetic", "form", "tensor", "ulp of", "from (ulp)", "to (ulp)", "elements", "share (%)"};
  int low = 0, high = 0;
  std::vector<std::string> arithmetics;
  for (const Histogram& histogram : one.histograms) {
    if (std::find(arithmetics.begin(), arithmetics.end(), histogram.arithmetic) == arithmetics.end())
      arithmetics.push_back(histogram.arithmetic);
    if (histogram.counts.empty()) continue;
    low = std::min(low, histogram.counts.begin()->first), high = std::max(high, histogram.counts.rbegin()->first);
  }
  low = std::max(low, -8);
  const std::string half_ulp = "set arrow 1 from -1,graph 0 to -1,graph 1 nohead lt 4 lw 1\n";
  std::string data, plots;
  int index = 0;
  const int columns = 2, rows = static_cast<int>((arithmetics.size() + 1) / 2);
  for (const std::string& arithmetic : arithmetics) {
    std::string curves, title;
    for (const Histogram& histogram : one.histograms) {
      if (histogram.arithmetic != arithmetic) continue;
      std::map<int, Index> counts{{low, histogram.exact}};
      for (const auto& [k, count] : histogram.counts) counts[std::max(k, low)] += count;
      const double total = static_cast<double>(std::max<Index>(1, histogram.elements));
      data += fmt::format("$bins{} << EOD\n", index);
      for (int k = low - 1; k <= high + 1; ++k) {
        const double share = 100 * static_cast<double>(counts.contains(k) ? counts.at(k) : 0) / total;
        data += fmt::format("{} {:.6g}\n", k + 0.5, share);
        if (share > 0) {
          figure.data.rows.push_back({arithmetic, histogram.path, histogram.tensor, scalar::to_string(histogram.format),
                                      k == low ? "0" : figure_number(std::ldexp(1, k)), figure_number(std::ldexp(1, k + 1)),
                                      std::to_string(counts.at(k)), fmt::format("{:.3g}", share)});
        }
      }
      if (histogram.nonfinite > 0) {
        figure.data.rows.push_back({arithmetic, histogram.path, histogram.tensor, scalar::to_string(histogram.format), "not finite", "-",
                                    std::to_string(histogram.nonfinite),
                                    fmt::format("{:.3g}", 100 * static_cast<double>(histogram.nonfinite) / total)});
      }
      data += "EOD\n";
      const bool first = histogram.path == "explicit";
      curves += fmt::format("{}$bins{} using 1:2 with histeps lt {} lw {}", curves.empty() ? "" : ", ", index++, first ? 1 : 2,
                            first ? 3.5 : 1.75);
      title = fmt::format("{}: {} in ulp of {}", arithmetic, histogram.tensor, scalar::to_string(histogram.format));
    }
    plots += fmt::format("set title {} offset 0,-0.6\nplot {}\n", plot_text(title), curves);
    if (arithmetic == arithmetics.front()) plots += end_legend() + half_ulp;
  }
  figure.height = 70 + 250 * rows;
  const int step = std::max(2, (high - low) / 8);
  const std::string legend =
      begin_legend({{"explicit", 1, 0, "1"}, {"absorbed", 2, 0, "1"}, {"half an ulp: correctly rounded is left of it", 4, 0, "1"}}, figure);
  figure.program = data + fmt::format(
                              "set multiplot layout {0},{1} margins 0.075,0.985,{2:.3f},{3:.3f} spacing 0.09,{4:.3f}\n"
                              "set xrange [{5}:{6}]\nset yrange [0:*]\n"
                              "set for [k={7}:{8}:{9}] xtics ('2^{{'.k.'}}' k)\nset xlabel 'error (ulp, log scale; leftmost bin from 0)' "
                              "offset 0,0.4\nset ylabel 'share of elements (%)' offset 1,0\n{10}{11}{12}unset multiplot",
                              rows, columns, 55.0 / figure.height, 1 - 55.0 / figure.height, 95.0 / figure.height, low - 0.5, high + 1.5,
                              low, high + 1, step, half_ulp, legend, plots);
  return figure;
}

}  // namespace equinorm::report
