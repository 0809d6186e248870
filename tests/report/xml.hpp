// A small strict XML reader, to see that JUnit files are well formed.
#pragma once

#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace equinorm::report {

/// Walks XML of elements, attributes and no text; returns the element names with their attributes, throws on anything malformed.
inline std::vector<std::map<std::string, std::string>> parse_xml(const std::string& text) {
  std::vector<std::map<std::string, std::string>> elements;
  std::vector<std::string> open;
  std::size_t at = 0;
  const auto need = [&](bool right) {
    if (!right) throw std::runtime_error("malformed at " + std::to_string(at) + ": " + text.substr(at, 60));
  };
  const auto word = [&] {
    const std::size_t begin = at;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0)) ++at;
    need(at > begin);
    return text.substr(begin, at - begin);
  };
  const auto spaces = [&] {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
  };
  need(text.rfind("<?xml", 0) == 0);
  at = text.find("?>") + 2;
  for (spaces(); at < text.size(); spaces()) {
    need(text[at++] == '<');
    if (text[at] == '/') {
      ++at;
      need(!open.empty() && word() == open.back());
      open.pop_back();
      need(text[at++] == '>');
      continue;
    }
    std::map<std::string, std::string> element{{"", word()}};
    for (spaces(); text.at(at) != '>' && text.at(at) != '/'; spaces()) {
      const std::string name = word();
      need(text.substr(at, 2) == "=\"");
      at += 2;
      const std::size_t end = text.find('"', at);
      need(end != std::string::npos);
      std::string value = text.substr(at, end - at);
      need(value.find_first_of("<>\n") == std::string::npos);
      for (const auto& [entity, plain] :
           {std::pair{"&lt;", "<"}, std::pair{"&gt;", ">"}, std::pair{"&quot;", "\""}, std::pair{"&#10;", "\n"}, std::pair{"&amp;", "&"}}) {
        for (std::size_t found = 0; (found = value.find(entity, found)) != std::string::npos; ++found)
          value.replace(found, std::string(entity).size(), plain);
      }
      need(element.emplace(name, value).second);
      at = end + 1;
    }
    if (text[at] == '/')
      ++at;
    else
      open.push_back(element.at(""));
    need(text[at++] == '>');
    elements.push_back(std::move(element));
  }
  need(open.empty());
  return elements;
}

}  // namespace equinorm::report
