// Small integer expressions of a CUDA module's manifest: "cdiv(context, 64) * batch".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace equinorm::kernels {

/// Integers, names, + - * / %, parentheses, cdiv(a, b), min(a, b), max(a, b). / and % round towards minus infinity, cdiv towards plus.
class Expression {
 public:
  using Lookup = std::function<std::optional<std::int64_t>(std::string_view)>;

  /// The constant.
  explicit Expression(std::int64_t value = 0);
  /// `field` names the expression in messages. Throws Error naming field, text and the place where it cannot be read.
  static Expression parse(std::string_view text, const std::string& field);

  /// The value in 64 bits. Throws Error for a name that `lookup` does not know, an overflow, a divisor below 1.
  std::int64_t evaluate(const Lookup& lookup) const;
  /// Every name in it, in order of appearance.
  std::vector<std::string> names() const;

 private:
  friend class ExpressionParser;
  enum class Kind : std::uint8_t { number, name, add, subtract, multiply, divide, remainder, ceiling, least, most };
  struct Node {
    Kind kind = Kind::number;
    std::int64_t number = 0;
    std::string name;
  };
  [[noreturn]] void fail(const std::string& why) const;
  std::int64_t apply(Kind kind, std::int64_t a, std::int64_t b) const;

  std::vector<Node> nodes_;  ///< postfix
  std::string text_, field_;
};

}  // namespace equinorm::kernels
