// The field check cut into points and blocks says what the check in one piece says, with and without a fault.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "exact/equality.hpp"
#include "exact/field_arithmetic.hpp"
#include "exact/random_point.hpp"
#include "paths/mutants.hpp"
#include "paths/reach.hpp"
#include "reference/random_problem.hpp"

namespace equinorm::exact {
namespace {

using problem::Block;
using problem::Problem;

std::vector<FieldPiece> all_pieces(const Problem& problem, std::uint64_t seed, std::string_view mutant, const std::vector<Block>& blocks) {
  std::vector<FieldPiece> pieces;
  for (int round = 0; round < field_rounds(problem, mutant); ++round) {
    for (const Block& block : blocks) pieces.push_back(check_piece(problem, seed, mutant, round, block));
  }
  std::shuffle(pieces.begin(), pieces.end(), std::mt19937_64(seed));
  return pieces;
}

bool same(const Equality& a, const Equality& b) {
  if (a.equal != b.equal || a.elements != b.elements || a.rounds != b.rounds || a.false_equal_log2 != b.false_equal_log2) return false;
  if (a.departure.has_value() != b.departure.has_value()) return false;
  if (!a.departure) return true;
  const Departure &x = *a.departure, &y = *b.departure;
  return x.stage == y.stage && x.tensor == y.tensor && x.index == y.index && x.explicit_value == y.explicit_value &&
         x.absorbed_value == y.absorbed_value;
}

std::string text(const Equality& result) {
  std::string text = fmt::format("{} numbers in {} rounds, 2^{}", result.elements, result.rounds, result.false_equal_log2);
  if (result.departure) {
    text += ", " + result.departure->tensor + "[";
    for (const Index i : result.departure->index) text += std::to_string(i) + ",";
    text += "] " + result.departure->explicit_value + " against " + result.departure->absorbed_value;
  }
  return text;
}

TEST_CASE("the check in pieces is the check: every variant and every fault") {
  std::map<std::string_view, int> in_pieces;
  int later = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    std::vector<std::string_view> mutants{""};
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (mutant.applies(problem)) mutants.push_back(mutant.id);
    }
    for (const std::string_view mutant : mutants) {
      const std::vector<Block> blocks = problem::blocks_of(problem, 1e9, 1, paths::reach_of(mutant, problem));
      const Equality whole = check_in_field(problem, seed, mutant);
      const Equality joined = join_pieces(problem, mutant, all_pieces(problem, seed, mutant, blocks));
      INFO(mutant << " on " << reference::describe(problem) << "\n  whole " << text(whole) << "\n  pieces " << text(joined));
      REQUIRE(same(whole, joined));
      if (blocks.size() > 1) ++in_pieces[mutant];
      if (whole.departure && whole.departure->index.at(0) > 0) ++later;
    }
  }
  CHECK(in_pieces[""] > 25);
  CHECK(later > 20);  // departures that are not in the first block
  for (const paths::Mutant& mutant : paths::mutants()) {
    INFO(mutant.id);
    CHECK((in_pieces[mutant.id] > 0 || mutant.id == "fp16-sum-of-squares-overflow"));  // that one asks for other inputs
  }
}

TEST_CASE("a fault that reaches beyond its block would be another one if it were cut") {
  std::map<std::string_view, int> cut, another;
  for (std::uint64_t seed = 1; seed <= 800; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    for (const paths::Mutant& mutant : paths::mutants()) {
      if (!mutant.applies(problem) || paths::reach_of(mutant.id, problem) == problem::Together::nothing) continue;
      const std::vector<Block> blocks = problem::blocks_of(problem, 1e9, 1);
      if (blocks.size() == problem::blocks_of(problem, 1e9, 1, paths::reach_of(mutant.id, problem)).size()) continue;
      ++cut[mutant.id];
      // A block of too few heads may be no problem for the fault at all.
      try {
        const Equality joined = join_pieces(problem, mutant.id, all_pieces(problem, seed, mutant.id, blocks));
        another[mutant.id] += same(check_in_field(problem, seed, mutant.id), joined) ? 0 : 1;
      } catch (const Error&) {
        ++another[mutant.id];
      }
    }
  }
  for (const char* mutant : {"heads-swapped", "wrong-group", "rms-wrong-head"}) {
    INFO(mutant);
    CHECK(cut[mutant] > 10);
    CHECK(4 * another[mutant] > cut[mutant]);
  }
}

TEST_CASE("page and tile faults stay whole where rows would choose other tiles") {
  Problem problem;
  problem.batch = 2;
  for (const char* mutant : {"last-tile-dropped", "page-skipped"}) {
    problem.context = {200, 20};
    CHECK(paths::reach_of(mutant, problem) == problem::Together::all);
    for (const std::vector<Index>& alike : {std::vector<Index>{200, 128}, {127, 20}, {300}}) {
      problem.context = alike;
      CHECK(paths::reach_of(mutant, problem) == problem::Together::nothing);
    }
  }
  CHECK_THROWS_AS(paths::reach_of("no-such-fault", problem), Error);
}

TEST_CASE("a block's random point is its part of the whole's") {
  Index compared = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Problem problem = reference::random_small_problem(seed);
    const FieldArithmetic ar(seed);
    const auto whole = random_point(ar, problem, {});
    for (const Block& block : problem::blocks_of(problem, 1e9, 1)) {
      const auto part = random_point(ar, problem, block);
      REQUIRE(part.tensors.size() == whole.tensors.size());
      for (const auto& [name, values] : part.tensors) {
        INFO(name << " of " << reference::describe(problem));
        problem::Box box = problem::box_of(problem, block, name, whole.at(name).shape());
        if (name.starts_with("rope_")) box.shape[0] = values.dim(0);
        REQUIRE(values.shape() == box.shape);
        for (Index i = 0; i < values.size(); ++i) {
          std::vector<Index> at = tensor::unravel(values.shape(), i);
          Index place = 0;
          for (std::size_t axis = 0; axis < at.size(); ++axis) place = place * whole.at(name).dim(axis) + box.first[axis] + at[axis];
          REQUIRE(values[i] == whole.at(name)[place]);
          ++compared;
        }
      }
    }
  }
  CHECK(compared > 10000);
}

}  // namespace
}  // namespace equinorm::exact
