#include "vgpu/lexer.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "scalar/error.hpp"

namespace equinorm::vgpu {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%'; }
bool is_word_part(char c) { return is_word_start(c) || is_digit(c); }

class Lexer {
 public:
  Lexer(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::vector<Token> read() {
    std::vector<Token> tokens;
    tokens.reserve(text_.size() / 4 + 1);
    for (skip_blank(); at_ < text_.size(); skip_blank()) tokens.push_back(next());
    tokens.push_back({Token::Kind::end, "end of file", 0, line_});
    return tokens;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(name_ + ":" + std::to_string(line_) + ": " + what); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skip_blank() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == '/' && peek(1) == '*') {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) fail("a comment that does not end");
        for (; at_ < end + 2; ++at_) line_ += text_[at_] == '\n';
      } else {
        return;
      }
    }
  }

  Token take(Token::Kind kind, std::size_t begin, std::uint64_t bits = 0) const {
    return {kind, text_.substr(begin, at_ - begin), bits, line_};
  }

  Token next() {
    const std::size_t begin = at_;
    const char c = text_[at_];
    if (is_word_start(c)) return read_word(begin);
    if (is_digit(c)) return read_number(begin);
    if (c == '.' && is_word_start(peek(1))) {
      ++at_;
      while (is_word_part(peek())) ++at_;
      return take(Token::Kind::directive, begin);
    }
    if (c == '"') {
      for (++at_; peek() != '"'; ++at_)
        if (at_ >= text_.size() || peek() == '\n') fail("a string that does not end");
      ++at_;
      Token token = take(Token::Kind::string, begin);
      token.text = token.text.substr(1, token.text.size() - 2);
      return token;
    }
    if (std::strchr("()[]{}<>,;:=+-!@|*", c) == nullptr || c == '\0')
      fail("unexpected character, code " + std::to_string(static_cast<unsigned char>(c)));
    ++at_;
    return take(Token::Kind::punctuation, begin);
  }

  Token read_word(std::size_t begin) {
    for (++at_;;) {
      if (is_word_part(peek())) {
        ++at_;
      } else if (peek() == '.' && is_word_part(peek(1))) {
        at_ += 2;
      } else if (peek() == ':' && peek(1) == ':' && is_word_part(peek(2))) {
        at_ += 3;
      } else {
        return take(Token::Kind::word, begin);
      }
    }
  }

  Token read_number(std::size_t begin) {
    const char kind = peek() == '0' ? peek(1) : '\0';
    if (kind == 'f' || kind == 'F') return read_pattern(begin, 8, Token::Kind::float32);
    if (kind == 'd' || kind == 'D') return read_pattern(begin, 16, Token::Kind::float64);
    int base = 10;
    if (kind == 'x' || kind == 'X')
      base = 16, at_ += 2;
    else if (kind == 'b' || kind == 'B')
      base = 2, at_ += 2;
    else if (is_digit(kind))
      base = 8;
    else if (is_decimal_float())
      return read_decimal(begin);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value, base);
    if (error != std::errc()) fail("a number that is none or exceeds 64 bits");
    at_ = static_cast<std::size_t>(end - text_.data());
    if (peek() == 'U') ++at_;
    if (is_word_part(peek())) fail("a number followed by '" + std::string(1, peek()) + "'");
    return take(Token::Kind::integer, begin, value);
  }

  Token read_pattern(std::size_t begin, std::size_t digits, Token::Kind kind) {
    at_ += 2;
    std::uint64_t value = 0;
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, first + std::min(digits, text_.size() - at_), value, 16);
    if (error != std::errc() || static_cast<std::size_t>(end - first) != digits)
      fail("a float pattern needs " + std::to_string(digits) + " hex digits");
    at_ += digits;
    return take(kind, begin, value);
  }

  bool is_decimal_float() const {
    std::size_t i = at_;
    while (i < text_.size() && is_digit(text_[i])) ++i;
    return i < text_.size() && (text_[i] == '.' || text_[i] == 'e' || text_[i] == 'E');
  }

  Token read_decimal(std::size_t begin) {
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("a decimal number that is out of range");
    at_ = static_cast<std::size_t>(end - text_.data());
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return take(Token::Kind::float64, begin, bits);
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

std::vector<Token> read_tokens(std::string_view text, const std::string& name) { return Lexer(text, name).read(); }

}  // namespace equinorm::vgpu
