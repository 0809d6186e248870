#include "commands/plan_of_cost.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace equinorm::commands {
namespace {

std::string seconds_text(double seconds) {
  if (seconds >= 5400) return fmt::format("{:.1f} h", seconds / 3600);
  if (seconds >= 90) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.{}f} s", seconds, seconds < 1 ? 2 : 1);
}

std::string memory_text(double bytes) {
  constexpr double kMiB = 1 << 20;
  return bytes < 1024 * kMiB ? fmt::format("{:.0f} MiB", std::max(1.0, bytes / kMiB)) : fmt::format("{:.1f} GiB", bytes / 1024 / kMiB);
}

}  // namespace

int show_plan_of_cost(const Job& job, const work::Shard& shard, int ranks) {
  std::size_t count = 0;
  double total = 0, longest = 0, largest = 0;
  for (std::size_t i = 0; i < job.units.size(); ++i) {
    if (!shard.holds(i)) continue;
    const double seconds = job.seconds(i), bytes = job.units[i].bytes;
    fmt::print("{:>9}  {:>9}  {}\n", seconds_text(seconds), memory_text(bytes), job.units[i].id);
    ++count, total += seconds, longest = std::max(longest, seconds), largest = std::max(largest, bytes);
  }
  fmt::print("\n{} units{}: {} on one process, the longest {}, the largest about {} of memory\n", count,
             shard.count > 1 ? " of shard " + work::to_string(shard) : "", seconds_text(total), seconds_text(longest),
             memory_text(largest));
  // Any greedy schedule is at most the mean plus the longest unit (Graham 1966).
  if (ranks > 1) fmt::print("on {} ranks at least {}\n", ranks, seconds_text(std::max(longest, total / ranks)));
  fmt::print("times are measured rates of this machine as it is now, with the threads given; take them as within a factor of two\n");
  return 0;
}

}  // namespace equinorm::commands
