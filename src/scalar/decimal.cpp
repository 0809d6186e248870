#include "scalar/decimal.hpp"

#include <cctype>

#include "scalar/error.hpp"
#include "scalar/real.hpp"

namespace equinorm::scalar {
namespace {

constexpr int kMaxExponent = 400;

/// Walks over a JSON number; every take_ function moves past what it accepts.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return position_ == text_.size(); }

  bool take(char wanted) {
    if (at_end() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }

  std::string_view take_digits() {
    const std::size_t start = position_;
    while (!at_end() && text_[position_] >= '0' && text_[position_] <= '9') ++position_;
    return text_.substr(start, position_ - start);
  }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

[[noreturn]] void reject(std::string_view text) {
  throw Error("decimal number \"" + std::string(text.substr(0, 60)) +
              "\": expected -?digits[.digits][e[+-]digits] as in JSON, exponent within +-" + std::to_string(kMaxExponent));
}

int parse_exponent(Reader& reader, std::string_view text) {
  const bool negative = reader.take('-');
  if (!negative) reader.take('+');
  const std::string_view digits = reader.take_digits();
  if (digits.empty()) reject(text);
  int exponent = 0;
  for (const char digit : digits) {
    exponent = 10 * exponent + (digit - '0');
    if (exponent > kMaxExponent) reject(text);
  }
  return negative ? -exponent : exponent;
}

Rational power_of_ten(std::int64_t exponent) {
  boost::multiprecision::mpz_int power;
  mpz_ui_pow_ui(power.backend().data(), 10, static_cast<unsigned long>(exponent < 0 ? -exponent : exponent));
  return exponent < 0 ? Rational(1) / Rational(power) : Rational(power);
}

}  // namespace

Decimal::Decimal(std::string_view text) : text_(text) {
  Reader reader(text);
  const bool negative = reader.take('-');
  const std::string_view whole = reader.take_digits();
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) reject(text);
  std::string_view fraction;
  if (reader.take('.')) {
    fraction = reader.take_digits();
    if (fraction.empty()) reject(text);
  }
  std::int64_t exponent = 0;
  if (reader.take('e') || reader.take('E')) exponent = parse_exponent(reader, text);
  if (!reader.at_end()) reject(text);

  boost::multiprecision::mpz_int digits;
  const std::string all_digits = std::string(whole) + std::string(fraction);
  mpz_set_str(digits.backend().data(), all_digits.c_str(), 10);
  value_ = Rational(digits) * power_of_ten(exponent - static_cast<std::int64_t>(fraction.size()));
  if (negative) value_ = -value_;
}

double Decimal::to_double() const { return scalar::to_double(value_); }

}  // namespace equinorm::scalar
