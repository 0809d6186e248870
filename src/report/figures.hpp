// Figures of a report: gnuplot programs made here, run elsewhere, and what gnuplot draws made fit for a page.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/document.hpp"

namespace equinorm::report {

/// Drawn figures by name.
struct Plots {
  std::map<std::string, std::string> svg;
  std::string reason;  ///< why some are missing: "no gnuplot"
};

/// The whole gnuplot program of a figure: SVG terminal, style, then its own commands.
std::string gnuplot_program(const Figure& figure);

/// gnuplot's SVG made fit to stand inside a page among others: without its XML prologue, black as the text colour of the page, ids prefixed
/// by `name`. Throws Error for what is no SVG.
std::string inline_svg(const std::string& name, const std::string& svg);

/// An inline SVG as a file of its own, dark where the reader's screen is.
std::string svg_file(const std::string& svg);

/// Which columns hold nothing but numbers, percentages, powers and dashes.
std::vector<bool> numeric_columns(const Table& table);

/// "1.3e-05", plain where 0.01 <= |x| < 1e5; "0"; "-" for what is no number.
std::string figure_number(double x);

/// Text as a gnuplot string: quoted, special characters of enhanced text escaped.
std::string plot_text(const std::string& text);

// One figure each. Colour tells the form (blue explicit, orange absorbed), shape and line the rest.
Figure ladder_figure(const Report& report);
Figure stage_figure(const CaseReport& result, const std::string& name);
Figure histogram_figure(const CaseReport& result, const std::string& name);
Figure growth_figure(const Report& report, const std::string& tensor);
Figure storage_figure(const CaseReport& result, const std::string& name);
Figure logit_figure(const LogitControl& control);

}  // namespace equinorm::report
