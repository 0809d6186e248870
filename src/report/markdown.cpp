#include "report/markdown.hpp"

#include <fmt/format.h>

#include <cstring>

namespace equinorm::report {
namespace {

/// Text that Markdown leaves as it is, on one line.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += ' ';
    } else if (c == '<') {
      result += "&lt;";
    } else {
      if (std::strchr("\\`*_[]|~", c) != nullptr) result += '\\';
      result += c;
    }
  }
  return result;
}

std::string table_text(const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  std::string text = table.caption.empty() ? "" : escaped(table.caption) + "\n\n";
  std::string rule;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += fmt::format("| {} ", escaped(table.columns[i]));
    rule += numeric[i] ? "|---:" : "|---";
  }
  text += "|\n" + rule + "|\n";
  for (const std::vector<std::string>& row : table.rows) {
    for (const std::string& cell : row) text += fmt::format("| {} ", escaped(cell));
    text += "|\n";
  }
  return text + "\n";
}

struct Renderer {
  const Plots& plots;
  int figures = 0;

  std::string operator()(const Heading& heading) const {
    return fmt::format("{} {}\n\n", std::string(static_cast<std::size_t>(heading.level), '#'), escaped(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const { return escaped(paragraph.text) + "\n\n"; }
  std::string operator()(const Table& table) const { return table_text(table); }
  std::string operator()(const Figure& figure) {
    const std::string caption = fmt::format("Figure {}. {}", ++figures, escaped(figure.caption));
    const std::string picture = plots.svg.contains(figure.name) ? fmt::format("![Figure {}](figures/{}.svg)", figures, figure.name)
                                                                : fmt::format("*figure skipped: {}*", escaped(plots.reason));
    return fmt::format("{}\n\n{}\n\n{}", picture, caption, table_text(figure.data));
  }
};

}  // namespace

std::string to_markdown(const Document& document, const Plots& plots) {
  std::string text = fmt::format("# {}\n\n", escaped(document.title));
  Renderer renderer{plots};
  for (const Block& block : document.blocks) text += std::visit(renderer, block);
  return text;
}

}  // namespace equinorm::report
