// Hands units out to the processes of a run as they come free.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "work/ranks.hpp"
#include "work/unit.hpp"

namespace equinorm::work {

/// Which unit a process gets next: one of the group that it worked on last, else the first of the dearest group that nobody has begun, else
/// the first of the group with the most work left.
class Dispenser {
 public:
  Dispenser(const std::vector<Unit>& units, const std::vector<bool>& todo);
  /// The place of a unit, or none: nothing is left.
  std::optional<std::size_t> next(int rank);
  /// Nothing more is handed out.
  void stop() { groups_.clear(); }

 private:
  struct Group {
    std::vector<std::size_t> units;  ///< what is left, last first
    double cost = 0;                 ///< of what is left
    bool begun = false;
  };
  const std::vector<Unit>& units_;
  std::map<std::size_t, Group> groups_;
  std::map<int, std::size_t> last_group_;
};

/// Takes the result of a unit: on the first rank, in its main thread, in the order in which units finish.
using Keep = std::function<void(std::size_t unit, const std::string& result)>;

/// Runs every unit with `todo` set (what the first rank says counts) and returns on all ranks when nothing is left. The first rank computes
/// too. If `run` or `keep` throws, nothing more is handed out, units under way end, and the first rank throws: an exception of its own as
/// it is, another rank's as an Error that names the unit and the rank.
void run_units(Ranks& ranks, const std::vector<Unit>& units, const std::vector<bool>& todo, const RunUnit& run, const Keep& keep);

/// Whether all ranks are ready for the same run: each brings what went wrong (empty: nothing) and a word that must be the same for all. The
/// first rank throws Error where not; the others return false.
bool all_ready(Ranks& ranks, const std::string& failure, const std::string& word);

}  // namespace equinorm::work
