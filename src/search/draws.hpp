// Random numbers in sequence, for searches that draw as many as they need.
#pragma once

#include <cstdint>
#include <string_view>

#include "inputs/random.hpp"

namespace equinorm::search {

/// The words of one named stream of a seed, one after the other: the same on every platform.
class Draws {
 public:
  Draws(std::uint64_t seed, std::string_view name) : stream_(seed, name) {}

  std::uint64_t bits() { return stream_.bits(next_++); }
  /// In (0, 1).
  double uniform() { return stream_.uniform(next_++); }
  /// In [0, count), count > 0.
  std::int64_t below(std::int64_t count) { return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(count)); }
  bool chance(double probability) { return uniform() < probability; }

 private:
  inputs::RandomStream stream_;
  std::uint64_t next_ = 0;
};

}  // namespace equinorm::search
