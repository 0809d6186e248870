// A random point of a problem: every input tensor drawn in an exact arithmetic, RoPE tables on the unit circle.
#pragma once

#include <tbb/parallel_for.h>

#include "paths/path_data.hpp"
#include "problem/block.hpp"

namespace equinorm::exact {

using paths::Index;

/// Draws every input that the block needs from ar.random, a function of (seed of ar, tensor, index in the whole problem) only: a block's
/// point is the part of the whole problem's. A table entry is a rational point of the circle, cos = (1 - a^2)/(1 + a^2), sin = 2a/(1 +
/// a^2), so that cos^2 + sin^2 = 1 as for true angles. Positions are the default ones.
template <class A>
paths::PathInputs<typename A::Value> random_point(const A& ar, const problem::Problem& whole, const problem::Block& block) {
  using V = typename A::Value;
  const problem::Problem problem = problem::block_problem(whole, block);
  paths::PathInputs<V> point;
  paths::set_default_positions(problem, point);
  const std::vector<problem::TensorSpec> specs = problem::input_tensors(problem, problem::default_table_rows(problem));
  const std::vector<problem::TensorSpec> whole_specs = problem::input_tensors(whole, problem::default_table_rows(whole));
  for (std::size_t number = 0; number < specs.size(); ++number) {
    const problem::TensorSpec& spec = specs[number];
    if (spec.role == problem::Role::positions || spec.name == "rope_sin") continue;
    const std::uint64_t stream = number + 1;
    paths::Tensor<V> values(spec.shape);
    paths::Tensor<V> sines(spec.role == problem::Role::rope_table ? spec.shape : tensor::Shape{0});
    const auto draw = [&](Index i, Index index) {
      const V a = ar.random(stream, index);
      if (spec.role != problem::Role::rope_table) {
        values[i] = a;
        return;
      }
      const V one = ar.integer(1), square = ar.mul(a, a), inverse = ar.div(one, ar.add(one, square));
      values[i] = ar.mul(ar.sub(one, square), inverse);
      sines[i] = ar.mul(ar.add(a, a), inverse);
    };
    problem::Box box = problem::box_of(whole, block, spec.name, whole_specs[number].shape);
    box.shape = spec.shape;  // tables end with the block's row
    problem::for_each_run(box, whole_specs[number].shape, [&](Index begin, Index index, Index count) {
      constexpr Index kChunk = 1 << 14;
      tbb::parallel_for(Index{0}, (count + kChunk - 1) / kChunk, [&](Index chunk) {
        for (Index i = chunk * kChunk; i < std::min(count, (chunk + 1) * kChunk); ++i) draw(begin + i, index + i);
      });
    });
    if (spec.role == problem::Role::rope_table) point.tensors.emplace("rope_sin", std::move(sines));
    point.tensors.emplace(spec.name, std::move(values));
  }
  return point;
}

}  // namespace equinorm::exact
