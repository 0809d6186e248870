#include "report/shrink_svg.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace equinorm::report {
namespace {

constexpr const char* kFont = "font-family=\"Helvetica Neue,Arial,sans-serif\"";

void erase_all(std::string& text, const std::string& part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
}

bool digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// The second of exactly two decimals, and ".0".
std::string without_second_decimals(const std::string& tag) {
  std::string out;
  for (std::size_t i = 0; i < tag.size(); ++i) {
    out += tag[i];
    const bool two = i >= 2 && i + 1 < tag.size() && digit(tag[i]) && digit(tag[i - 1]) && tag[i - 2] == '.';
    if (!two || std::strchr(" ,'\"L)", tag[i + 1]) == nullptr) continue;
    out.pop_back();
    if (out.back() == '0') out.resize(out.size() - 2);
  }
  return out;
}

std::string smaller_tag(std::string tag) {
  if (tag.rfind("<tspan", 0) == 0 || tag.rfind("<g ", 0) == 0) {
    for (const char* repeated :
         {" font-size=\"13.00\"", " stroke-linecap=\"butt\"", " stroke-linejoin=\"miter\"", " color=\"currentColor\""})
      erase_all(tag, repeated);
    erase_all(tag, std::string(" ") + kFont);
  }
  return without_second_decimals(tag);
}

/// Removes the opening tag of a group at the end of `out`, if nothing but blanks follows it.
bool drop_open_group(std::string& out) {
  const std::size_t end = out.find_last_not_of(" \t\n");
  if (end == std::string::npos || out[end] != '>') return false;
  const std::size_t begin = out.rfind('<', end);
  if (out.compare(begin, 2, "<g") != 0 || (out[begin + 2] != ' ' && out[begin + 2] != '>') || out[end - 1] == '/') return false;
  out.resize(begin);
  return true;
}

}  // namespace

std::string shrink_svg(const std::string& svg) {
  std::string out;
  for (std::size_t at = 0; at < svg.size();) {
    if (svg[at] != '<') {
      const std::size_t next = std::min(svg.find('<', at), svg.size());
      const std::string text = svg.substr(at, next - at);
      const bool blank = text.find_first_not_of(" \t\n") == std::string::npos;
      // Blanks with a line break stand between tags, never inside a line of text.
      out += blank && text.find('\n') != std::string::npos ? "\n" : text;
      at = next;
      continue;
    }
    const std::size_t end = svg.find('>', at);
    if (end == std::string::npos) return out + svg.substr(at);
    std::string tag = svg.substr(at, end + 1 - at);
    at = end + 1;
    if (tag == "</g>" && drop_open_group(out)) {
      while ((out.empty() || out.back() == '\n') && at < svg.size() && svg[at] == '\n') ++at;
      continue;
    }
    if (tag.rfind("<svg", 0) == 0) tag.insert(4, std::string(" ") + kFont + " font-size=\"13\"");
    out += smaller_tag(std::move(tag));
  }
  return out;
}

}  // namespace equinorm::report
