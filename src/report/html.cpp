#include "report/html.hpp"

#include <fmt/format.h>

#include "report/text_pieces.hpp"

namespace equinorm::report {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5c6370; --rule: #d4d7dc; --paper: #ffffff; --band: #f4f5f7; --good: #1a7f4b; --bad: #b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e5e8; --soft: #9aa2ad; --rule: #3a3f47; --paper: #16181b; --band: #1f2226; --good: #5cc490; --bad: #ff8a7a; } }
body { color: var(--ink); background: var(--paper); font: 15px/1.5 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--rule); padding-bottom: .25rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; max-width: 52rem; }
figure { margin: 1.25rem 0; }
figure svg { display: block; width: 100%; height: auto; color: var(--ink); }
figcaption, caption { color: var(--soft); font-size: .87rem; line-height: 1.4; text-align: left; }
figcaption { max-width: 52rem; margin-top: .35rem; }
caption { padding-bottom: .3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .83rem; line-height: 1.35; margin: .75rem 0; }
th, td { padding: .16rem .6rem .16rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
td:first-child { white-space: nowrap; }
tbody tr:nth-child(even) { background: var(--band); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n { white-space: normal; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .skipped { color: var(--soft); font-style: italic; }
details { margin: .5rem 0 1rem; } summary { cursor: pointer; color: var(--soft); font-size: .87rem; }
@media print { details { display: none; } body { max-width: none; } }
)";

std::string cell(const std::string& text, bool numeric) {
  const char* tone = text == "violates" || text == "different" || text == "nonfinite"              ? " bad"
                     : text == "equal" || text == "within" || text == "holds" || text == "suspect" ? " good"
                                                                                                   : "";
  const std::string classes = fmt::format("{}{}", numeric ? "n" : "", tone);
  return classes.empty() ? fmt::format("<td>{}</td>", markup_escaped(text))
                         : fmt::format("<td class=\"{}\">{}</td>", classes, markup_escaped(text));
}

std::string table_html(const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  std::string html = "<div class=\"wide\"><table>";
  if (!table.caption.empty()) html += fmt::format("<caption>{}</caption>", markup_escaped(table.caption));
  html += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    html += fmt::format("<th{}>{}</th>", numeric[i] ? " class=\"n\"" : "", markup_escaped(table.columns[i]));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) html += cell(row[i], numeric.at(i));
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string folded(const Table& table, const std::string& summary) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", markup_escaped(summary), table_html(table));
}

struct Renderer {
  const Plots& plots;
  int figures = 0;

  std::string operator()(const Heading& heading) const {
    return fmt::format("<h{0}>{1}</h{0}>\n", heading.level, markup_escaped(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const { return fmt::format("<p>{}</p>\n", markup_escaped(paragraph.text)); }
  std::string operator()(const Table& table) const {
    return table.folded ? folded(table, table.caption.empty() ? "Table" : table.caption) : table_html(table);
  }
  std::string operator()(const Figure& figure) {
    const std::string caption = fmt::format("Figure {}. {}", ++figures, figure.caption);
    const auto found = plots.svg.find(figure.name);
    if (found == plots.svg.end()) {
      return fmt::format("<figure><p class=\"skipped\">figure skipped: {}</p><figcaption>{}</figcaption></figure>\n{}",
                         markup_escaped(plots.reason), markup_escaped(caption), table_html(figure.data));
    }
    return fmt::format("<figure role=\"img\" aria-label=\"{}\">\n{}<figcaption>{}</figcaption></figure>\n{}", markup_escaped(caption),
                       found->second, markup_escaped(caption), folded(figure.data, fmt::format("Data of figure {}", figures)));
  }
};

}  // namespace

std::string to_html(const Document& document, const Plots& plots) {
  const std::string title = markup_escaped(document.title);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<h1>{}</h1>\n",
      title, kStyle, title);
  Renderer renderer{plots};
  for (const Block& block : document.blocks) html += std::visit(renderer, block);
  return html + "</body>\n</html>\n";
}

}  // namespace equinorm::report
