// Blocks of a problem: they cover it once, and their tensors are boxes in the whole's.
#include "problem/block.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "problem/axes.hpp"
#include "problem/builtin.hpp"
#include "problem/norm_traits.hpp"
#include "problem/tensors.hpp"

namespace equinorm::problem {
namespace {

/// Every built-in case with small dims and some rows of different lengths.
std::vector<Problem> problems() {
  std::vector<Problem> found;
  for (const NamedSource& source : builtin_cases()) {
    Problem problem = *find_builtin(source.name);
    problem.batch = 3, problem.context = {7, 2, 5};
    const Index per_group = std::min<Index>(2, problem.heads / problem.groups);
    problem.groups = std::min<Index>(problem.groups, 3), problem.heads = problem.groups * per_group;
    problem.latent = std::min<Index>(problem.latent, 3), problem.model_dim = std::min<Index>(problem.model_dim, 4);
    found.push_back(problem);
  }
  return found;
}

Index element_count(const std::vector<Index>& shape) {
  Index count = 1;
  for (const Index length : shape) count *= length;
  return count;
}

std::vector<Index> unravel(const std::vector<Index>& shape, Index flat) {
  std::vector<Index> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return index;
}

TEST_CASE("the tensors of a block's problem have the shape of their box") {
  int compared = 0;
  for (const Problem& whole : problems()) {
    for (const Block& block : blocks_of(whole, 1e9, 1)) {
      const Problem part = block_problem(whole, block);
      const auto check = [&](const std::vector<TensorSpec>& of_whole, const std::vector<TensorSpec>& of_part) {
        REQUIRE(of_whole.size() == of_part.size());
        for (std::size_t i = 0; i < of_whole.size(); ++i) {
          INFO(whole.name << " " << of_whole[i].name << " row " << block.row << " head " << block.first_head);
          CHECK(of_whole[i].name == of_part[i].name);
          CHECK(box_of(whole, block, of_whole[i].name, of_whole[i].shape).shape == of_part[i].shape);
          ++compared;
        }
      };
      check(input_tensors(whole, 9), input_tensors(part, 9));  // tables are kept whole
      check(output_tensors(whole), output_tensors(part));
    }
  }
  CHECK(compared > 1000);
}

TEST_CASE("blocks cover an output once, unless it belongs to several of them") {
  for (const Problem& whole : problems()) {
    for (const TensorSpec& spec : output_tensors(whole)) {
      if (spec.name == "k_rope_cached") continue;  // every block of a row has it
      std::map<std::vector<Index>, int> seen;
      Index padding = 0;
      for (const Block& block : blocks_of(whole, 1e9, 1)) {
        const Box box = box_of(whole, block, spec.name, spec.shape);
        for (Index flat = 0; flat < element_count(box.shape); ++flat) {
          std::vector<Index> index = unravel(box.shape, flat);
          move_to_whole(whole, block, spec.name, index);
          ++seen[index];
        }
      }
      for (const Axis& axis : axes_of(whole, spec.name)) {
        if (axis.along == Along::tokens) padding = element_count(spec.shape) / 21 * 7;  // 7 of 3 times 7 tokens
      }
      INFO(whole.name << " " << spec.name);
      CHECK(static_cast<Index>(seen.size()) == element_count(spec.shape) - padding);
      for (const auto& [index, times] : seen) REQUIRE(times == 1);
    }
  }
}

TEST_CASE("runs go through a box in order, each element where it is in the whole") {
  const std::vector<Index> whole{3, 4, 5, 2};
  int longest_run = 0;
  for (Index code = 0; code < 4 * 4 * 4 * 4; ++code) {
    Box box{{1, 1, 1, 1}, {0, 0, 0, 0}};
    for (std::size_t axis = 0; axis < 4; ++axis) {
      const Index choice = code >> (2 * axis) & 3;
      if (choice == 0) box.shape[axis] = whole[axis];
      if (choice == 1) box.first[axis] = whole[axis] - 1;
      if (choice == 2) box.shape[axis] = whole[axis] - 1, box.first[axis] = 1;
      if (choice == 3) box.shape[axis] = axis == 1 ? 0 : 1;
    }
    Index next = 0;
    for_each_run(box, whole, [&](Index part, Index place, Index count) {
      REQUIRE(part == next);
      next += count, longest_run = std::max(longest_run, static_cast<int>(count));
      for (Index i = 0; i < count; ++i) {
        std::vector<Index> index = unravel(box.shape, part + i);
        for (std::size_t axis = 0; axis < 4; ++axis) index[axis] += box.first[axis];
        REQUIRE(index == unravel(whole, place + i));
      }
    });
    REQUIRE(next == element_count(box.shape));
  }
  CHECK(longest_run == 3 * 4 * 5 * 2);
}

TEST_CASE("what must stay together is not cut") {
  for (const Problem& problem : problems()) {
    CHECK(blocks_of(problem, 1, 1).size() == 1);
    CHECK(blocks_of(problem, 1e9, 1, Together::all).size() == 1);
    CHECK(blocks_of(problem, 1e9, 1, Together::heads).size() == 3);
    const bool joined = norm_traits(problem).over_all_heads || problem.model_dim > 0;
    CHECK(blocks_of(problem, 1e9, 1).size() == static_cast<std::size_t>(joined ? 3 : 3 * problem.groups));
  }
}

}  // namespace
}  // namespace equinorm::problem
