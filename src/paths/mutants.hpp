// The catalogue of wrong forms: each a named fault of a real kernel, built beside the right formula and switchable by name.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "paths/formula.hpp"
#include "paths/plan.hpp"
#include "problem/problem.hpp"

namespace equinorm::paths {

/// What must become of a mutant wherever it applies; an entry may have several.
enum Expected : std::uint8_t {
  kExact = 1,       ///< E: a different function: prime field, rationals and precision ladder must say different
  kReal = 2,        ///< R: a different function that only the ladder's true functions can express
  kViolates = 4,    ///< V: at least one case exceeds the bound of a declared bf16 or fp16 storage, fp32 accumulate kernel
  kStructural = 8,  ///< S: outputs that are not finite
  kPrecision = 16   ///< P: the same function, rounded where nothing was declared: violates, but within for a kernel that declares it
};

/// One entry of the catalogue.
struct Mutant {
  std::string_view id;
  std::string_view fault;                                    ///< what the wrong kernel does
  std::string_view needs;                                    ///< where it is a different function, in words
  bool (*applies)(const problem::Problem&);                  ///< the same, as a predicate
  void (*adjust)(const problem::Problem&, Plan&) = nullptr;  ///< makes the plan one in which the fault can act, or is the fault itself
  unsigned expected = kExact | kViolates;                    ///< of Expected
  /// Another formula of the same fault, where kernels that have it differ in a choice: what explains a kernel's output tries both.
  std::string_view variant = {};

  bool expects(Expected outcome) const { return (expected & outcome) != 0; }
};

/// Letters of Expected that hold: "E V".
std::string expected_text(const Mutant& mutant);

/// Every entry, in catalogue order. Where one without kExact is put in the place of the right formula, the exact arithmetics see no
/// difference: those faults live in rounding, overflow or infinities, which they do not have.
const std::vector<Mutant>& mutants();

/// The entry with this id. Throws Error that lists near ids.
const Mutant& find_mutant(std::string_view id);

/// Tile (and page) of the tile and page faults: 64 keys, or 4 where the longest row is shorter than two such tiles.
Index fault_tile(const problem::Problem& problem);

/// Tokens [0, n) of a batch row that no query sees: before every window. 0 without a window.
Index unseen_tokens(const problem::Problem& problem, Index batch_row);

/// Overwrites what belongs to the unseen tokens (c and k_rope; k and v; or x) with `poison`. The right outputs do not change.
template <class V>
void poison_unseen(const problem::Problem& problem, V poison, PathInputs<V>& inputs) {
  for (const char* name : {"c", "k_rope", "k", "v", "x"}) {
    const auto found = inputs.tensors.find(name);
    if (found == inputs.tensors.end()) continue;
    for (Index b = 0; b < problem.batch; ++b) {
      std::fill(found->second.row(b), found->second.row(b, unseen_tokens(problem, b)), poison);
    }
  }
}

/// The right formula (empty id), the mutant's, or its variant's. Throws Error for an unknown id.
template <Arithmetic A>
std::unique_ptr<Formula<A>> make_formula(std::string_view mutant_id);

}  // namespace equinorm::paths
