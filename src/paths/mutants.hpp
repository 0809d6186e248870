// The catalogue of wrong forms: each a named fault of a real kernel, built beside the right formula and switchable by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "paths/formula.hpp"
#include "paths/plan.hpp"
#include "problem/problem.hpp"

namespace equinorm::paths {

/// One entry of the catalogue.
struct Mutant {
  std::string_view id;
  std::string_view fault;                                    ///< what the wrong kernel does
  std::string_view needs;                                    ///< where it is a different function, in words
  bool (*applies)(const problem::Problem&);                  ///< the same, as a predicate
  void (*adjust)(const problem::Problem&, Plan&) = nullptr;  ///< makes the plan one in which the fault can act
};

/// Every entry, in catalogue order. Each is a different function wherever it applies: the exact checks must say so.
const std::vector<Mutant>& mutants();

/// The entry with this id. Throws Error that lists near ids.
const Mutant& find_mutant(std::string_view id);

/// Tile (and page) of the tile and page faults: 64 keys, or 4 where the longest row is shorter than two such tiles.
Index fault_tile(const problem::Problem& problem);

/// The right formula (empty id) or the mutant's. Throws Error for an unknown id.
template <Arithmetic A>
std::unique_ptr<Formula<A>> make_formula(std::string_view mutant_id);

}  // namespace equinorm::paths
