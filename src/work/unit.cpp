#include "work/unit.hpp"

#include <fmt/format.h>

#include <charconv>

#include "scalar/error.hpp"

namespace equinorm::work {

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto [slash, first_error] = std::from_chars(text.data(), end, shard.index);
  const bool split = first_error == std::errc() && slash != end && *slash == '/';
  const auto [rest, second_error] =
      split ? std::from_chars(slash + 1, end, shard.count) : std::from_chars_result{end, std::errc::invalid_argument};
  if (second_error != std::errc() || rest != end || shard.index < 1 || shard.index > shard.count || shard.count > 1'000'000) {
    throw Error(fmt::format("--shard: '{}' is not a shard; allowed: I/N with 1 <= I <= N <= 1000000, e.g. 3/16", text));
  }
  return shard;
}

std::string to_string(const Shard& shard) { return fmt::format("{}/{}", shard.index, shard.count); }

}  // namespace equinorm::work
