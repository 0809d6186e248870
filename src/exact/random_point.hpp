// A random point of a problem: every input tensor drawn in an exact arithmetic, RoPE tables on the unit circle.
#pragma once

#include <tbb/parallel_for.h>

#include "paths/path_data.hpp"

namespace equinorm::exact {

using paths::Index;

/// Draws every input from ar.random, a function of (seed of ar, tensor, index) only. A table entry is a rational point of the circle,
/// cos = (1 - a^2)/(1 + a^2), sin = 2a/(1 + a^2), so that cos^2 + sin^2 = 1 as for true angles. Positions are the default ones.
template <class A>
paths::PathInputs<typename A::Value> random_point(const A& ar, const problem::Problem& problem) {
  using V = typename A::Value;
  paths::PathInputs<V> point;
  paths::set_default_positions(problem, point);
  std::uint64_t stream = 0;
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, problem::default_table_rows(problem))) {
    ++stream;
    if (spec.role == problem::Role::positions || spec.name == "rope_sin") continue;
    paths::Tensor<V> values(spec.shape);
    paths::Tensor<V> sines(spec.role == problem::Role::rope_table ? spec.shape : tensor::Shape{0});
    constexpr Index kBlock = 1 << 14;
    tbb::parallel_for(Index{0}, (values.size() + kBlock - 1) / kBlock, [&](Index block) {
      for (Index i = block * kBlock; i < std::min(values.size(), (block + 1) * kBlock); ++i) {
        const V a = ar.random(stream, i);
        if (spec.role != problem::Role::rope_table) {
          values[i] = a;
          continue;
        }
        const V one = ar.integer(1), square = ar.mul(a, a), inverse = ar.div(one, ar.add(one, square));
        values[i] = ar.mul(ar.sub(one, square), inverse);
        sines[i] = ar.mul(ar.add(a, a), inverse);
      }
    });
    if (spec.role == problem::Role::rope_table) point.tensors.emplace("rope_sin", std::move(sines));
    point.tensors.emplace(spec.name, std::move(values));
  }
  return point;
}

}  // namespace equinorm::exact
