// The decode benchmark's table: overheads, byte ratios, shares, the paper's figures.
#include "commands/decode_table.hpp"

#include <catch2/catch.hpp>

using namespace equinorm::commands;
using Catch::Contains;

TEST_CASE("a decode row says what the factors cost") {
  DecodeRow row;
  row.context = 262144;
  const double tokens = 4 * 262144.0;
  row.bytes[0] = tokens * 1152, row.bytes[1] = tokens * (1152 + 64), row.bytes[2] = tokens * (1152 + 32);
  row.seconds[0] = 4.0e-4, row.seconds[1] = 4.24e-4, row.seconds[2] = 4.12e-4;
  CHECK(row.overhead(1) == Approx(0.06));
  CHECK(row.byte_ratio(1) == Approx(64.0 / 1152));
  CHECK(row.byte_ratio(2) == Approx(32.0 / 1152));
  const double bandwidth = 4e12;
  CHECK(row.bandwidth_share(0, bandwidth) == Approx(tokens * 1152 / 4.0e-4 / 4e12));
  const std::string table = decode_table("a GPU", bandwidth, {row});
  CHECK_THAT(table, Contains("a GPU") && Contains("4000 GB/s"));
  // Time and share; more than without norm; more bytes; and the paper's 13.082, 13.274, 1.47 %.
  CHECK_THAT(
      table,
      Contains("262144    0.4000    75%     0.4240    75%   6.00%   5.56%     0.4120    75%   3.00%   2.78%     13.082  13.274   1.47%"));
  CHECK_THAT(decode_json("a GPU", bandwidth, {row}),
             Contains("\"context\": 262144") && Contains("\"overhead\": 0.0") && Contains("alpha_bf16"));
}

TEST_CASE("the contexts are the paper's") {
  const std::vector<std::int64_t> contexts = decode_contexts();
  REQUIRE(contexts.size() == 8);
  CHECK(contexts.front() == 4096);
  CHECK(contexts.back() == 262144);
}
