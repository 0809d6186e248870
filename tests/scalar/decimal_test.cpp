#include "scalar/decimal.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "scalar/error.hpp"

using equinorm::Error;
using equinorm::scalar::Decimal;
using equinorm::scalar::Rational;

namespace {

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

}  // namespace

TEST_CASE("decimals are exact fractions") {
  CHECK(Decimal("1e-6").value() == Rational(1) / 1000000);
  CHECK(Decimal("0.1").value() == Rational(1) / 10);
  CHECK(Decimal("-12.50E+1").value() == Rational(-125));
  CHECK(Decimal("0.044194173824159216").value() == Rational("44194173824159216/1000000000000000000"));
  CHECK(Decimal("10000").value() == Rational(10000));
  CHECK(Decimal("-0.0e5").value() == Rational(0));
  CHECK(Decimal("1e400").value() * Decimal("1e-400").value() == Rational(1));
  CHECK(Decimal("3e0400").value() == Decimal("3e400").value());
  CHECK(Decimal("1e-6") == Decimal("0.000001"));
  CHECK_FALSE(Decimal("1e-6") == Decimal("1.0000000000000000000000001e-6"));
}

TEST_CASE("decimals keep their text, sign and zero") {
  CHECK(Decimal("1.00e-06").text() == "1.00e-06");
  CHECK(Decimal().is_zero());
  CHECK(Decimal("-0").is_zero());
  CHECK(Decimal("-0").sign() == 0);
  CHECK(Decimal("-1e-300").sign() == -1);
  CHECK(Decimal("1e-300").sign() == 1);
  CHECK_FALSE(Decimal("1e-400").is_zero());
}

TEST_CASE("texts that JSON does not allow are refused") {
  for (const char* text : {"",      "-",     "+1",  ".5",  "5.",    "1e",  "1e+", "1e-",   "01",     "-01",
                           "00",    "1 ",    " 1",  "1,5", "0x10",  "nan", "inf", "1e401", "1e-401", "1e99999999999999999999",
                           "1.5.2", "1e5.0", "--1", "1f",  "1e5e5", "١"}) {
    INFO("text \"" << text << "\"");
    CHECK_THROWS_AS(Decimal(text), Error);
  }
}

TEST_CASE("to_double rounds once, to nearest even") {
  CHECK(Decimal("0.1").to_double() == 0.1);
  CHECK(bits_of(Decimal("9007199254740993").to_double()) == bits_of(9007199254740992.0));
  CHECK(bits_of(Decimal("9007199254740993.0000000000000000000000000000000000001").to_double()) == bits_of(9007199254740994.0));
  CHECK(bits_of(Decimal("4.9e-324").to_double()) == 1);
  CHECK(bits_of(Decimal("2.4e-324").to_double()) == 0);
  CHECK(bits_of(Decimal("1e-400").to_double()) == 0);
  CHECK(bits_of(Decimal("1e400").to_double()) == 0x7ff0000000000000u);
  CHECK(bits_of(Decimal("-1e309").to_double()) == 0xfff0000000000000u);
}

TEST_CASE("to_double agrees with strtod on random texts") {
  const std::uint64_t seed = 20240611;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 2, '-');
    text += static_cast<char>('1' + random() % 9);
    const std::size_t digits = random() % 40;
    if (digits > 0) text += '.';
    for (std::size_t i = 0; i < digits; ++i) text += static_cast<char>('0' + random() % 10);
    // A third of the texts land among the subnormal numbers.
    const int exponent = round % 3 == 0 ? -324 + static_cast<int>(random() % 20) : -400 + static_cast<int>(random() % 801);
    text += 'e';
    text += std::to_string(exponent);
    INFO("text " << text);
    REQUIRE(bits_of(Decimal(text).to_double()) == bits_of(std::strtod(text.c_str(), nullptr)));
  }
}

TEST_CASE("to_double agrees with strtod on ties between neighbours") {
  const std::uint64_t seed = 77;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    // The midpoint of two neighbours has 54 bits: an integer for values in [2^53, 2^54), shown exactly.
    const std::uint64_t midpoint = ((std::uint64_t{1} << 53) | (random() >> 11)) | 1;
    for (const char* tail : {"", ".0000000000000000000000000000000000000000001"}) {
      const std::string text = std::to_string(midpoint) + tail;
      INFO("text " << text);
      REQUIRE(bits_of(Decimal(text).to_double()) == bits_of(std::strtod(text.c_str(), nullptr)));
    }
  }
}
