#include "work/schedule.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "scalar/error.hpp"

namespace equinorm::work {
namespace {

std::vector<Unit> some_units() {
  std::vector<Unit> units;
  for (std::size_t i = 0; i < 12; ++i) units.push_back({"u" + std::to_string(i), i / 4, static_cast<double>(1 + i), 0});
  return units;
}

TEST_CASE("the dispenser keeps a rank in its group and begins with the dearest") {
  const std::vector<Unit> units = some_units();
  Dispenser dispenser(units, std::vector<bool>(12, true));
  CHECK(dispenser.next(0) == 8);  // group 2 costs most
  CHECK(dispenser.next(1) == 4);
  CHECK(dispenser.next(0) == 9);
  CHECK(dispenser.next(2) == 0);
  CHECK(dispenser.next(3) == 10);  // all are begun: where most is left
  CHECK(dispenser.next(1) == 5);
}

TEST_CASE("any order of asking gives every unit once") {
  const std::vector<Unit> units = some_units();
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<bool> todo;
    std::set<std::size_t> expected, given;
    for (std::size_t i = 0; i < 12; ++i) {
      todo.push_back(random() % 3 != 0);
      if (todo.back()) expected.insert(i);
    }
    Dispenser dispenser(units, todo);
    while (const auto unit = dispenser.next(static_cast<int>(random() % 4))) REQUIRE(given.insert(*unit).second);
    REQUIRE(given == expected);
    REQUIRE(!dispenser.next(0));
  }
}

TEST_CASE("one process runs what is to do and stops at a failure") {
  Ranks ranks;
  const std::vector<Unit> units = some_units();
  std::vector<bool> todo(12, true);
  todo[5] = false;
  std::set<std::size_t> kept;
  const auto keep = [&](std::size_t unit, const std::string& result) {
    CHECK(result == "r" + std::to_string(unit));
    kept.insert(unit);
  };
  run_units(
      ranks, units, todo, [](std::size_t unit) { return "r" + std::to_string(unit); }, keep);
  CHECK(kept.size() == 11);
  CHECK(!kept.contains(5));
  kept.clear();
  const auto failing = [](std::size_t unit) -> std::string {
    if (unit == 9) throw Error("no");
    return "r" + std::to_string(unit);
  };
  CHECK_THROWS_AS(run_units(ranks, units, todo, failing, keep), Error);
  CHECK(kept == std::set<std::size_t>{8});
}

}  // namespace
}  // namespace equinorm::work
