#include "kernels/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "problem/json.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {

namespace {

constexpr int kDeepest = 64;
constexpr const char* kAllowed = "integers, names, + - * / %, parentheses, cdiv(a, b), min(a, b), max(a, b)";

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

/// Recursive descent; every function leaves the postfix of what it read in the expression.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, Expression& out) : text_(text), out_(out) {}

  void run() {
    sum();
    if (!at_end()) fail();
  }

 private:
  using Kind = Expression::Kind;

  bool at_end() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ == text_.size();
  }
  char peek() { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  [[noreturn]] void fail() { out_.fail(fmt::format("stops making sense at character {}; allowed: {}", at_ + 1, kAllowed)); }
  void emit(Kind kind, std::int64_t number = 0, std::string name = {}) { out_.nodes_.push_back({kind, number, std::move(name)}); }

  void sum() {
    if (++depth_ > kDeepest) out_.fail(fmt::format("is nested too deeply; allowed: {} levels", kDeepest));
    product();
    for (char c = peek(); c == '+' || c == '-'; c = peek()) {
      ++at_;
      product();
      emit(c == '+' ? Kind::add : Kind::subtract);
    }
    --depth_;
  }

  void product() {
    factor();
    for (char c = peek(); c == '*' || c == '/' || c == '%'; c = peek()) {
      ++at_;
      factor();
      emit(c == '*' ? Kind::multiply : c == '/' ? Kind::divide : Kind::remainder);
    }
  }

  void factor() {
    if (take('-')) {
      if (++depth_ > kDeepest) out_.fail(fmt::format("is nested too deeply; allowed: {} levels", kDeepest));
      emit(Kind::number, 0);
      factor();
      emit(Kind::subtract);
      --depth_;
    } else if (take('(')) {
      sum();
      expect(')');
    } else if (is_digit(peek())) {
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (error != std::errc()) fail();
      at_ = static_cast<std::size_t>(end - text_.data());
      emit(Kind::number, value);
    } else if (starts_name(peek())) {
      name();
    } else {
      fail();
    }
  }

  void name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (starts_name(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '.')) ++at_;
    const std::string word(text_.substr(begin, at_ - begin));
    const bool is_call = word == "cdiv" || word == "min" || word == "max";
    if (!is_call) return emit(Kind::name, 0, word);
    expect('(');
    sum();
    expect(',');
    sum();
    expect(')');
    emit(word == "cdiv" ? Kind::ceiling : word == "min" ? Kind::least : Kind::most);
  }

  std::string_view text_;
  Expression& out_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

Expression::Expression(std::int64_t value) : nodes_{{Kind::number, value, {}}}, text_(std::to_string(value)) {}

Expression Expression::parse(std::string_view text, const std::string& field) {
  Expression expression;
  expression.nodes_.clear();
  expression.text_ = text, expression.field_ = field;
  ExpressionParser(text, expression).run();
  return expression;
}

void Expression::fail(const std::string& why) const { throw Error(fmt::format("{} {}: {}", field_, problem::shown(text_), why)); }

std::int64_t Expression::apply(Kind kind, std::int64_t a, std::int64_t b) const {
  std::int64_t result = 0;
  bool overflow = false;
  switch (kind) {
    case Kind::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Kind::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Kind::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Kind::divide:
    case Kind::remainder:
    case Kind::ceiling:
      if (b < 1) fail(fmt::format("divides by {}; allowed: divisors from 1 on", b));
      result = floor_divide(a, b);
      if (kind == Kind::remainder) result = a - result * b;
      if (kind == Kind::ceiling && a % b != 0) ++result;
      break;
    case Kind::least:
      return std::min(a, b);
    case Kind::most:
      return std::max(a, b);
    case Kind::number:
    case Kind::name:
      break;
  }
  if (overflow) fail("leaves 64 bits");
  return result;
}

std::int64_t Expression::evaluate(const Lookup& lookup) const {
  std::vector<std::int64_t> stack;
  for (const Node& node : nodes_) {
    if (node.kind == Kind::number) {
      stack.push_back(node.number);
    } else if (node.kind == Kind::name) {
      const std::optional<std::int64_t> value = lookup(node.name);
      if (!value) fail(fmt::format("'{}' has no value in this run", node.name));
      stack.push_back(*value);
    } else {
      const std::int64_t b = stack.back();
      stack.pop_back();
      stack.back() = apply(node.kind, stack.back(), b);
    }
  }
  return stack.back();
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> found;
  for (const Node& node : nodes_) {
    if (node.kind == Kind::name) found.push_back(node.name);
  }
  return found;
}

}  // namespace equinorm::kernels
