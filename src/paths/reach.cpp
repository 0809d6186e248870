#include "paths/reach.hpp"

#include <algorithm>
#include <set>

#include "paths/mutants.hpp"

namespace equinorm::paths {
namespace {

using problem::Problem;
using problem::Together;

/// Whether the tile and page of the faults are those of every row alone.
bool same_fault_tile(const Problem& problem) {
  Problem shortest = problem;
  shortest.context = {*std::min_element(problem.context.begin(), problem.context.end())};
  return fault_tile(shortest) == fault_tile(problem);
}

}  // namespace

Together reach_of(std::string_view mutant_id, const Problem& problem) {
  static const std::set<std::string_view> mix_heads{"heads-swapped", "wrong-group", "one-element", "rms-wrong-head"};
  static const std::set<std::string_view> count_tiles{"last-tile-dropped", "page-skipped"};
  if (mutant_id.empty()) return Together::nothing;
  const std::string_view id = find_mutant(mutant_id).id;
  if (mix_heads.contains(id)) return Together::heads;
  return count_tiles.contains(id) && !same_fault_tile(problem) ? Together::all : Together::nothing;
}

}  // namespace equinorm::paths
