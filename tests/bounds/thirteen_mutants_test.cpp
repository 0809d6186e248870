// Our judge on the thirteen wrong attention kernels: every one violates, the honest one never. EQUINORM_EXPERIMENT="16384 5" runs another
// number of keys and seeds and prints the table.
#include "bounds/thirteen_mutants.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>

namespace equinorm::bounds {
namespace {

bool always_caught(const MutantRow& row) {
  for (const auto& [name, probes] : row.caught) {
    if (!probes.empty()) return true;
  }
  return false;
}

void check(const std::vector<MutantRow>& rows) {
  REQUIRE(rows.size() == 14);
  CHECK(rows.front().violated == 0);
  CHECK(rows.front().other.empty());
  for (std::size_t i = 1; i < rows.size(); ++i) {
    INFO(rows[i].kernel);
    CHECK(always_caught(rows[i]));
  }
}

TEST_CASE("thirteen of thirteen wrong attention kernels violate, the honest one holds") {
  for (const std::int64_t keys : {512, 2048}) check(run_mutants(keys, 1));
}

TEST_CASE("the thirteen kernels at any size") {
  const char* wanted = std::getenv("EQUINORM_EXPERIMENT");
  if (wanted == nullptr) return;
  std::istringstream words(wanted);
  std::int64_t keys = 0;
  unsigned seeds = 0;
  REQUIRE(words >> keys >> seeds);
  const std::vector<MutantRow> rows = run_mutants(keys, seeds);
  int caught = 0;
  fmt::print("{} keys, {} seeds: probes that violate in every run\n\n| kernel |", keys, seeds);
  for (const MutantCase& one : mutant_cases()) fmt::print(" {} |", name_of(one));
  fmt::print("\n|---|");
  for (std::size_t i = 0; i < mutant_cases().size(); ++i) fmt::print("---|");
  fmt::print("\n");
  for (const MutantRow& row : rows) {
    caught += always_caught(row) ? 1 : 0;
    fmt::print("| {} |", row.kernel);
    for (const MutantCase& one : mutant_cases()) {
      const std::set<std::string>& probes = row.caught.at(name_of(one));
      fmt::print(" {} |", probes.empty() ? "-" : fmt::format("{}", fmt::join(probes, ", ")));
    }
    fmt::print("\n");
  }
  fmt::print("\n{} of 13 violate; the honest kernel violates in {} of {} runs\n\n", caught, rows.front().violated, rows.front().runs);
  check(rows);
}

}  // namespace
}  // namespace equinorm::bounds
