#include "vgpu/parser.hpp"

#include "scalar/error.hpp"

namespace equinorm::vgpu {

void Parser::fail(const std::string& what) const {
  const Token& token = peek();
  throw Error(module_.name + ":" + std::to_string(token.line) + ": " + what + ", found '" + std::string(token.text.substr(0, 60)) + "'");
}

const Token& Parser::next() {
  const Token& token = peek();
  if (token.kind == Token::Kind::end) fail("the file ends too early");
  ++at_;
  return token;
}

bool Parser::at(std::string_view text) const {
  const Token& token = peek();
  return token.text == text && token.kind != Token::Kind::string && token.kind != Token::Kind::end;
}
bool Parser::accept(std::string_view text) {
  if (!at(text)) return false;
  ++at_;
  return true;
}
void Parser::expect(std::string_view text) {
  if (!accept(text)) fail("expected '" + std::string(text) + "'");
}
std::string Parser::expect_word() {
  if (peek().kind != Token::Kind::word) fail("expected a name");
  return std::string(next().text);
}

std::int64_t Parser::expect_integer(std::int64_t smallest, std::int64_t largest) {
  const bool negative = accept("-");
  if (peek().kind != Token::Kind::integer) fail("expected an integer");
  const auto value = static_cast<std::int64_t>(negative ? 0 - peek().bits : peek().bits);
  if (value < smallest || value > largest) fail("expected an integer from " + std::to_string(smallest) + " to " + std::to_string(largest));
  next();
  return value;
}

void Parser::skip_to_semicolon() {
  while (!accept(";")) next();
}

Module Parser::parse() {
  while (peek().kind != Token::Kind::end) parse_directive();
  for (const auto& [place, label] : function_labels_)
    if (const auto found = strings_.find(label); found != strings_.end()) module_.places[place].function = found->second;
  if (module_.version_major == 0) throw Error(module_.name + ": no .version: not a PTX file");
  return std::move(module_);
}

void Parser::parse_directive() {
  if (accept(".version")) {
    const std::string text(next().text);  // "9.0" is read as one decimal number
    const std::size_t dot = text.find('.');
    if (dot == std::string::npos || dot > 3 || text.size() - dot > 4) fail("expected a version such as 9.0");
    module_.version_major = std::atoi(text.c_str());
    module_.version_minor = std::atoi(text.c_str() + dot + 1);
    if (module_.version_major <= 0) fail("expected a version such as 9.0");
  } else if (accept(".target")) {
    parse_target();
  } else if (accept(".address_size")) {
    if (expect_integer(32, 64) != 64) fail("only .address_size 64 is supported");
  } else if (accept(".file")) {
    parse_file();
  } else if (accept(".loc")) {
    parse_loc();
  } else if (accept(".section")) {
    parse_section();
  } else if (accept(".pragma") || accept(".alias")) {
    skip_to_semicolon();
  } else {
    parse_declaration();
  }
}

void Parser::parse_target() {
  do {
    const std::string word = expect_word();
    if (word.starts_with("sm_")) {
      module_.target_name = word;
      module_.target = std::atoi(word.c_str() + 3);
    }
  } while (accept(","));
}

/// .debug_str holds the names of inlined functions as bytes under labels; other sections are skipped.
void Parser::parse_section() {
  const bool is_strings = at(".debug_str");
  next();
  expect("{");
  std::string label, text;
  const auto store = [&] {
    if (is_strings && !label.empty()) strings_[label] = text;
    text.clear();
  };
  while (!accept("}")) {
    if (at("{")) fail("expected no '{' inside a section");
    if (is_strings && peek().kind == Token::Kind::word && peek(1).text == ":") {
      store();
      label = next().text;
    } else if (is_strings && peek().kind == Token::Kind::integer && peek().bits > 0 && peek().bits < 128) {
      text.push_back(static_cast<char>(peek().bits));
    }
    next();
  }
  store();
}

void Parser::parse_file() {
  const auto number = static_cast<std::size_t>(expect_integer(0, 100000));
  if (peek().kind != Token::Kind::string) fail("expected a file name in quotes");
  if (module_.files.size() <= number) module_.files.resize(number + 1);
  module_.files[number] = next().text;
  while (accept(",")) next();  // time stamp and size
}

void Parser::parse_loc() {
  constexpr int kMany = 1 << 30;
  const auto position = [this] {
    std::array<int, 3> where{};
    for (int& x : where) x = static_cast<int>(expect_integer(0, kMany));
    return where;
  };
  const std::array<int, 3> where = position();
  Place place{where[0], where[1], where[2], -1, {}};
  std::string label;
  while (accept(",")) {
    const std::string word = expect_word();
    if (word == "function_name") {
      label = expect_word();
      if (accept("+")) expect_integer(0, kMany);
    } else if (word == "inlined_at") {
      const std::array<int, 3> outer = position();
      const auto [found, is_new] = place_by_position_.try_emplace(outer, static_cast<int>(module_.places.size()));
      if (is_new) module_.places.push_back({outer[0], outer[1], outer[2], -1, {}});
      place.inlined_at = found->second;
    } else {
      fail("expected function_name or inlined_at");
    }
  }
  place_ = static_cast<int>(module_.places.size());
  if (!label.empty()) function_labels_.emplace_back(module_.places.size(), label);
  module_.places.push_back(std::move(place));
  place_by_position_[where] = place_;
}

void Parser::parse_declaration() {
  bool is_extern = false;
  while (at(".visible") || at(".extern") || at(".weak") || at(".common")) is_extern |= next().text == ".extern";
  if (accept(".entry")) return parse_function(true, is_extern);
  if (accept(".func")) return parse_function(false, is_extern);
  Space space = Space::global;
  if (accept(".const"))
    space = Space::constant;
  else if (accept(".shared"))
    space = Space::shared;
  else if (!accept(".global"))
    fail("expected a directive such as .entry, .func, .global, .const or .shared");
  do {
    Variable variable = parse_variable(space);
    variable.is_extern = is_extern;
    if (module_.find_variable(variable.name) != nullptr) fail("'" + variable.name + "' is declared twice");
    module_.variables.push_back(std::move(variable));
  } while (accept(","));
  expect(";");
}

Module parse_module(std::string_view text, const std::string& name) { return Parser(text, name).parse(); }

}  // namespace equinorm::vgpu
