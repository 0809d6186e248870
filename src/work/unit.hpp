// The pieces that a run is cut into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace equinorm::work {

/// A piece of work whose result depends on nothing but its id and the command: never on who computes it, in which order, or with whom.
struct Unit {
  std::string id;         ///< unique in its run, one line, no tab
  std::size_t group = 0;  ///< units of one group share inputs and references, which a process keeps between them
  double cost = 1;        ///< expected work, in multiply-adds
  double bytes = 0;       ///< expected memory
};

/// Computes a unit; the text, one line, is its result.
using RunUnit = std::function<std::string(std::size_t unit)>;

/// Shard `index` of `count`, from 1: the units whose place, counted from 0, is index - 1 modulo count.
struct Shard {
  std::size_t index = 1, count = 1;
  bool holds(std::size_t unit) const { return unit % count == index - 1; }
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// "3/16". Throws Error.
Shard parse_shard(const std::string& text);
std::string to_string(const Shard& shard);

}  // namespace equinorm::work
