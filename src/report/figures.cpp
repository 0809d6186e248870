#include "report/figures.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "report/shrink_svg.hpp"
#include "scalar/error.hpp"

namespace equinorm::report {
namespace {

/// Greys and colours that can be read on white and on near-black.
constexpr const char* kStyle = R"(set encoding utf8
set border 3 lc rgb "#8a8f98"
set tics nomirror
set grid lc rgb "#8a8f98" lw 0.5 dt (2,4)
set key noautotitle samplen 1.6 spacing 1.1
set linetype 1 lc rgb "#2b83c6"
set linetype 2 lc rgb "#d9730d"
set linetype 3 lc rgb "#2f9e63"
set linetype 4 lc rgb "#8a8f98"
set pointsize 0.75
)";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

/// Removes the attributes id="..." that hold `part`.
void drop_ids(std::string& text, const std::string& part) {
  const std::string begin = " id=\"";
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    const std::size_t end = text.find('"', at + begin.size());
    if (end == std::string::npos) return;
    if (text.substr(at, end - at).find(part) == std::string::npos) {
      at = end;
    } else {
      text.erase(at, end + 1 - at);
    }
  }
}

bool looks_numeric(const std::string& cell) {
  if (cell.empty() || cell == "-" || cell == "inf" || cell == "0") return true;
  if (std::strchr("0123456789-+.", cell.front()) == nullptr) return false;
  return cell.find_first_not_of("0123456789.,+-eE^% x") == std::string::npos;
}

}  // namespace

std::string gnuplot_program(const Figure& figure) {
  std::string name = figure.name;
  replace_all(name, "-", "_");  // gnuplot takes no hyphen in the name that its ids begin with
  return fmt::format("set terminal svg size {},{} dynamic enhanced font 'Helvetica Neue,Arial,sans-serif,13' name '{}'\n{}{}\n",
                     figure.width, figure.height, name, kStyle, figure.program);
}

std::string inline_svg(const std::string& name, const std::string& svg) {
  const std::size_t begin = svg.find("<svg"), end = svg.rfind("</svg>");
  if (begin == std::string::npos || end == std::string::npos) throw Error("figure " + name + ": gnuplot drew no SVG");
  std::string text = svg.substr(begin, end + 6 - begin) + "\n";
  for (const char* black : {"\"black\"", "'black'", "rgb(  0,   0,   0)"}) {
    const std::string quote(1, black[0] == 'r' ? '\0' : black[0]);
    replace_all(text, black, black[0] == 'r' ? "currentColor" : quote + "currentColor" + quote);
  }
  drop_ids(text, "_plot_");  // numbered anew in every panel, and of no use here
  for (const char* before : {" id='", " id=\"", "href='#", "href=\"#", "url(#"}) replace_all(text, before, before + name + "-");
  return shrink_svg(text);
}

std::string svg_file(const std::string& svg) {
  std::string text = svg;
  const std::size_t at = text.find('>', text.find("<svg"));
  if (at == std::string::npos) throw Error("a figure is no SVG");
  text.insert(at + 1, "\n<style>svg { color: #1c1e21 } @media (prefers-color-scheme: dark) { svg { color: #e3e5e8 } }</style>");
  return "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"no\"?>\n" + text;
}

std::vector<bool> numeric_columns(const Table& table) {
  std::vector<bool> numeric(table.columns.size(), !table.rows.empty());
  for (const std::vector<std::string>& row : table.rows) {
    for (std::size_t i = 0; i < numeric.size(); ++i) numeric[i] = numeric[i] && i < row.size() && looks_numeric(row[i]);
  }
  return numeric;
}

std::string figure_number(double x) {
  if (x == 0) return "0";
  if (std::isnan(x)) return "-";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  const double size = std::fabs(x);
  return size >= 0.01 && size < 1e5 ? fmt::format("{:.3g}", x) : fmt::format("{:.1e}", x);
}

std::string plot_text(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '`') {
      result += ' ';
      continue;
    }
    if (std::strchr("_^{}@&~\\", c) != nullptr) result += '\\';
    if (c == '\'') result += '\'';
    result += c;
  }
  return result + "'";
}

}  // namespace equinorm::report
