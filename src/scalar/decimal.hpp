// Exact decimal constants (eps, theta, scale) as written by the user.
#pragma once

#include <boost/multiprecision/gmp.hpp>
#include <string>
#include <string_view>

namespace equinorm::scalar {

using Rational = boost::multiprecision::number<boost::multiprecision::gmp_rational, boost::multiprecision::et_off>;

/// A decimal number kept exactly, with the text it was written as ("1e-6").
class Decimal {
 public:
  Decimal() : Decimal("0") {}
  /// Text of a JSON number: -?digits[.digits][e[+-]digits], exponent within +-400. Throws Error otherwise.
  explicit Decimal(std::string_view text);

  const std::string& text() const { return text_; }
  const Rational& value() const { return value_; }
  /// Nearest binary64, ties to even.
  double to_double() const;
  bool is_zero() const { return value_ == 0; }
  int sign() const { return value_.sign(); }

  friend bool operator==(const Decimal& a, const Decimal& b) { return a.value_ == b.value_; }

 private:
  std::string text_;
  Rational value_;
};

}  // namespace equinorm::scalar
