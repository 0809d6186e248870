// Are the explicit and the absorbed form the same function? Decided without any rounding.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "paths/path.hpp"
#include "problem/block.hpp"
#include "scalar/truth.hpp"

namespace equinorm::exact {

using paths::Index;
using paths::Plan;

/// The first element, in data-flow order, at which two paths differ.
struct Departure {
  std::string stage;
  std::string tensor;
  std::vector<Index> index;
  std::string explicit_value;
  std::string absorbed_value;
};

/// Outcome of an exact check.
struct Equality {
  Truth equal = Truth::unknown;
  std::optional<Departure> departure;  ///< when not equal
  Index elements = 0;                  ///< numbers that were equal, all rounds together, up to the tensor with the departure
  int rounds = 0;                      ///< independent random points
  double false_equal_log2 = 0;         ///< log2 of the probability bound of a false 'equal'; 0 where none is claimed
};

/// The plans of one round: legal ways to carry out either form, different from round to round (tiles, splits, ways to combine, alpha_q
/// folded or in the score tile, reduction order), since none of them may change the value.
struct PlanPair {
  Plan explicit_plan;
  Plan absorbed_plan;
};
PlanPair legal_plans(const problem::Problem& problem, int round);

/// Equality over the prime field, at the problem's own dims, functions uninterpreted (product of 'verify': exact check (a)).
///
/// Proof: prime_field_forms_equal (right kernels never fail), prime_field_error.
///
/// Each round draws a random point and runs both path templates over F_p. As many rounds as field_rounds() says, up to the first that says
/// different. With a mutant, its formula stands in place of the absorbed one. Time: three products of T G r d_c-like size per round;
/// memory: one group's keys and values per thread, plus the inputs.
Equality check_in_field(const problem::Problem& problem, std::uint64_t seed, std::string_view mutant = {}, int min_rounds = 2);

/// Rounds of check_in_field: until the probability of a false 'equal' is below 2^-40, and at least `min_rounds`. A function of its
/// arguments alone. Throws Error for a context so long that a round says next to nothing.
int field_rounds(const problem::Problem& problem, std::string_view mutant = {}, int min_rounds = 2);

/// What one round found on one block of the problem.
struct FieldPiece {
  int round = 0;
  std::vector<Index> equal_elements;   ///< numbers that were equal, by step of the comparison, up to the step with the departure
  std::optional<Departure> departure;  ///< the first of the block, at its index in the whole problem
};

/// One round of check_in_field on one block: the whole problem's random point, of which what the block needs is drawn, the same functions
/// and plans, so that every number is the one that it is in the whole. A mutant must be the same fault there: paths/reach.hpp.
FieldPiece check_piece(const problem::Problem& problem, std::uint64_t seed, std::string_view mutant, int round,
                       const problem::Block& block);

/// What check_in_field says, from the pieces of its rounds, in any order: those of every round that it runs, and blocks that make up the
/// problem. Pieces of rounds after the first with a departure are left out of account.
Equality join_pieces(const problem::Problem& problem, std::string_view mutant, std::vector<FieldPiece> pieces);

/// log2 of the bound on the probability that one round calls two different functions equal; derivation in equality.cpp.
/// Proof: schwartz_zippel, union_bound.
double field_round_log2(const problem::Problem& problem, const PlanPair& plans);

/// Equality over the rationals, on dims shrunk by shrink(), one random point per round.
Equality check_in_rationals(const problem::Problem& problem, std::uint64_t seed, std::string_view mutant = {}, int rounds = 4);

/// The same problem with dims small enough for rationals: every feature kept, sizes cut (latent 5, d_c 4, d_r 4, d_v 3, T 9, H at most 4,
/// ...).
problem::Problem shrink(const problem::Problem& problem);

/// The stage that computes a tensor.
std::string stage_of(const std::string& tensor);

}  // namespace equinorm::exact
