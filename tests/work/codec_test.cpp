#include "work/codec.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <random>

namespace equinorm::work {

struct Inner {
  int count = 0;
  std::vector<std::int64_t> index;
};
auto members(Inner& x) { return std::tie(x.count, x.index); }

enum class Colour : std::uint8_t { red, green };

struct Outer {
  std::string name;
  std::optional<double> bound;
  Inner inner;
  std::map<int, std::int64_t> counts;
  Colour colour = Colour::red;
  bool flag = false;
  std::vector<Inner> more;
};
auto members(Outer& x) { return std::tie(x.name, x.bound, x.inner, x.counts, x.colour, x.flag, x.more); }

namespace {

TEST_CASE("every double comes back bit for bit") {
  std::mt19937_64 random(20261122);
  INFO("seed 20261122");
  for (int i = 0; i < 200'000; ++i) {
    const auto bits = random();
    const auto x = std::bit_cast<double>(bits);
    const auto back = from_line<double>(to_line(x));
    if (std::isnan(x)) {
      REQUIRE((std::isnan(back) && std::signbit(back) == std::signbit(x)));
    } else {
      REQUIRE(std::bit_cast<std::uint64_t>(back) == bits);
    }
  }
  for (const double x : {0.0, -0.0, 5e-324, 0x1.fffffffffffffp1023, 1e300, 3.0, -7.0, 0x1p-1074, HUGE_VAL, -HUGE_VAL})
    REQUIRE(std::bit_cast<std::uint64_t>(from_line<double>(to_line(x))) == std::bit_cast<std::uint64_t>(x));
}

TEST_CASE("structs come back, in one line") {
  Outer x;
  x.name = "a\tb\nc \"d\" \xc3\xa9", x.bound = -0.0, x.inner.count = 3, x.inner.index = {1, 2, -5};
  x.counts = {{-2, 7}, {4, 9}}, x.colour = Colour::green, x.flag = true, x.more.resize(2), x.more[1].index = {8};
  const std::string line = to_line(x);
  CHECK(line.find_first_of("\t\n") == std::string::npos);
  const auto back = from_line<Outer>(line);
  CHECK(to_line(back) == line);
  CHECK(back.name == x.name);
  CHECK((back.bound.has_value() && std::signbit(*back.bound)));
  CHECK(back.counts == x.counts);
  CHECK(back.more.at(1).index == x.more.at(1).index);
  CHECK((back.colour == Colour::green && back.flag));
  CHECK(!from_line<Outer>(to_line(Outer{})).bound.has_value());
}

TEST_CASE("what has another form is refused") {
  CHECK_THROWS(from_line<Inner>("[1]"));
  CHECK_THROWS(from_line<Inner>("[1,[2],3]"));
  CHECK_THROWS(from_line<Inner>("[1,\"x\"]"));
  CHECK_THROWS(from_line<Outer>("nonsense"));
}

TEST_CASE("members are counted") {
  static_assert(detail::member_count<Inner>() == 2);
  static_assert(detail::member_count<Outer>() == 7);
  SUCCEED();
}

}  // namespace
}  // namespace equinorm::work
